"""Python calls functions of a Node worker, with completion, checked arguments and typed results.

    node ../node/words.js                    # a worker; needs DOSHIT_REDIS, as all of these do
    doshit types --py node_functions.py      # writes the typed client from what live workers serve
    python call_node.py

prints

    a-queue-for-two-languages
    {'words': 5, 'longest': 'languages'}
    BadArguments: slug: args.text: expected string, got number
"""

from doshit import BadArguments, Doshit
from node_functions import Remote

if __name__ == "__main__":
    app = Doshit()
    remote = Remote(app)
    print(remote.slug(text="A queue for two languages").result(timeout=20))
    print(remote.count_words(text="A queue for two languages").result(timeout=20))
    try:
        # mypy refuses remote.slug(text=7); by name, the catalog does, before anything is pushed.
        app.enqueue("slug", {"text": 7})
    except BadArguments as error:
        print(f"BadArguments: {error}")
