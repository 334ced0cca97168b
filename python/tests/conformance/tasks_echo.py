"""What a worker of a story serves that knows echo only."""

from doshit import Doshit

app = Doshit()


@app.task
def echo(text: str) -> str:
    return text
