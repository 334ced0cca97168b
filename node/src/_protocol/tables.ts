/** Written by `make sync` from protocol/tables; change it there. */

export const ERRORS = {
  "description": "Every word that the field error-code of a failed task can hold, in every language. writer: who writes it.",
  "codes": [
    {
      "code": "exception",
      "writer": "worker",
      "description": "The function raised; error-exception holds the traceback or stack."
    },
    {
      "code": "time-limit",
      "writer": "worker",
      "description": "The run took longer than its time-limit; the reason names both."
    },
    {
      "code": "memory-limit",
      "writer": "worker",
      "description": "The run took more memory than its memory-limit; the reason names both."
    },
    {
      "code": "cancelled",
      "writer": "cancel, claim, recover, worker",
      "description": "Somebody cancelled the task, its queue or its function; or its run said so itself."
    },
    {
      "code": "worker-lost",
      "writer": "recover",
      "description": "Too many workers died while they ran this task."
    },
    {
      "code": "exited",
      "writer": "worker",
      "description": "The process of the run ended without a result; the reason names the signal or the exit status."
    },
    {
      "code": "bad-task",
      "writer": "claim",
      "description": "The hash is no task: no function, or a field whose value cannot be read; the reason names the field."
    },
    {
      "code": "bad-args",
      "writer": "claim, worker",
      "description": "The args are no JSON object, too large, or not what the function takes; the reason says where."
    },
    {
      "code": "unknown-function",
      "writer": "worker",
      "description": "No worker served the function until the grace was over; the reason lists names that are near."
    },
    {
      "code": "expired",
      "writer": "claim",
      "description": "The task had not been started when its expires came."
    },
    {
      "code": "result-not-json",
      "writer": "worker",
      "description": "JSON cannot carry what the function returned; the reason says where in the value."
    },
    {
      "code": "result-too-large",
      "writer": "worker",
      "description": "The result is larger than the worker's cap."
    }
  ]
} as const;

export const FIELDS = {
  "description": "Every field of the hashes of the protocol. part: contract (fixed for ever) or addition. writers: who sets it. default: what an absent field means, where it means something.",
  "forms": {
    "text": "UTF-8 text",
    "json": "any JSON text",
    "json-array": "the JSON text of an array",
    "json-object": "the JSON text of an object",
    "timestamp": "UTC in exactly this form: 2015-12-05T00:19:01.834909Z",
    "milliseconds": "whole milliseconds of the Redis clock since 1970",
    "decimal": "digits, then perhaps a point and digits; at most 15 characters and below 10000000000; no sign, no exponent",
    "whole": "digits only, at most 15",
    "state": "a state of states.json",
    "result": "a result of states.json",
    "error-code": "a code of errors.json",
    "queue": "the name of a queue",
    "names": "names, with commas between them",
    "channel": "the name of a channel that begins with {app}:"
  },
  "hashes": [
    {
      "key": "task",
      "description": "One task.",
      "fields": [
        {
          "name": "function",
          "form": "text",
          "part": "contract",
          "writers": [
            "producer"
          ],
          "description": "The name of the function to run."
        },
        {
          "name": "state",
          "form": "state",
          "part": "contract",
          "writers": [
            "producer",
            "worker"
          ],
          "default": "pending",
          "description": "Where the task is in its life."
        },
        {
          "name": "args",
          "form": "json-object",
          "part": "contract",
          "writers": [
            "producer"
          ],
          "default": "{}",
          "description": "One member for each parameter, by name."
        },
        {
          "name": "pending-created",
          "form": "timestamp",
          "part": "contract",
          "writers": [
            "producer"
          ],
          "description": "When the task was submitted."
        },
        {
          "name": "executing-created",
          "form": "timestamp",
          "part": "contract",
          "writers": [
            "worker"
          ],
          "description": "When the last run was claimed."
        },
        {
          "name": "finished-created",
          "form": "timestamp",
          "part": "contract",
          "writers": [
            "worker"
          ],
          "description": "When the task ended."
        },
        {
          "name": "result",
          "form": "result",
          "part": "contract",
          "writers": [
            "worker"
          ],
          "description": "How the task ended; there only when state is finished."
        },
        {
          "name": "result-value",
          "form": "json",
          "part": "contract",
          "writers": [
            "worker"
          ],
          "description": "What the function returned, also when it is null, 0, false, \"\", [] or {}."
        },
        {
          "name": "error-reason",
          "form": "text",
          "part": "contract",
          "writers": [
            "worker"
          ],
          "description": "Why the task failed, in one line for a person."
        },
        {
          "name": "error-exception",
          "form": "text",
          "part": "contract",
          "writers": [
            "worker"
          ],
          "description": "The traceback or stack of the run."
        },
        {
          "name": "result-ttl",
          "form": "decimal",
          "or": "keep",
          "unit": "seconds",
          "part": "addition",
          "writers": [
            "producer"
          ],
          "description": "How long the hash stays after the end; keep: for ever. Absent: the worker's own."
        },
        {
          "name": "expires",
          "form": "timestamp",
          "part": "addition",
          "writers": [
            "producer"
          ],
          "description": "Not started for the first time by then: failed, expired."
        },
        {
          "name": "reply-to",
          "form": "channel",
          "part": "addition",
          "writers": [
            "producer"
          ],
          "description": "A channel that hears of the end of this task too, and of its result if that is small."
        },
        {
          "name": "username",
          "form": "text",
          "part": "addition",
          "writers": [
            "producer"
          ],
          "description": "Who asked for the task. Only kept."
        },
        {
          "name": "traceparent",
          "form": "text",
          "part": "addition",
          "writers": [
            "producer"
          ],
          "description": "W3C trace context, handed on to the run."
        },
        {
          "name": "time-limit",
          "form": "decimal",
          "unit": "seconds",
          "part": "addition",
          "writers": [
            "producer"
          ],
          "description": "How long one run may take. A worker's own cap wins."
        },
        {
          "name": "memory-limit",
          "form": "whole",
          "unit": "bytes",
          "part": "addition",
          "writers": [
            "producer"
          ],
          "description": "How much memory one run, with its child processes, may add to what its process had. A worker's own cap wins."
        },
        {
          "name": "retries",
          "form": "whole",
          "part": "addition",
          "writers": [
            "producer"
          ],
          "description": "How often the task is run again after a run that failed. Absent: as its function says, else 0."
        },
        {
          "name": "retry-delay",
          "form": "decimal",
          "unit": "seconds",
          "part": "addition",
          "writers": [
            "producer"
          ],
          "description": "The wait before the first of them. Absent: as its function says, else 1."
        },
        {
          "name": "retry-backoff",
          "form": "decimal",
          "part": "addition",
          "writers": [
            "producer"
          ],
          "description": "The factor by which each wait is longer than the one before. Absent: as its function says, else 2."
        },
        {
          "name": "queue",
          "form": "queue",
          "part": "addition",
          "writers": [
            "submit",
            "claim"
          ],
          "description": "The queue it was submitted to or taken from."
        },
        {
          "name": "worker",
          "form": "text",
          "part": "addition",
          "writers": [
            "claim"
          ],
          "description": "The worker that took it last."
        },
        {
          "name": "claim",
          "form": "text",
          "part": "addition",
          "writers": [
            "claim"
          ],
          "description": "The one taking of it that may write its end. Removed when the task goes back."
        },
        {
          "name": "attempts",
          "form": "whole",
          "part": "addition",
          "writers": [
            "claim",
            "release",
            "park"
          ],
          "default": "0",
          "description": "How many runs were begun."
        },
        {
          "name": "lost",
          "form": "whole",
          "part": "addition",
          "writers": [
            "recover"
          ],
          "default": "0",
          "description": "How many runs lost their worker."
        },
        {
          "name": "unknown-since",
          "form": "milliseconds",
          "part": "addition",
          "writers": [
            "park"
          ],
          "description": "When a worker first found that nobody serves its function."
        },
        {
          "name": "error-code",
          "form": "error-code",
          "part": "addition",
          "writers": [
            "claim",
            "recover",
            "cancel",
            "worker"
          ],
          "description": "Why the task failed, as one word."
        },
        {
          "name": "retried",
          "form": "whole",
          "part": "addition",
          "writers": [
            "retry"
          ],
          "default": "0",
          "description": "How many runs were followed by another because they failed."
        },
        {
          "name": "failures",
          "form": "json-array",
          "part": "addition",
          "writers": [
            "retry"
          ],
          "description": "What went wrong in these runs, newest last, at most 10: objects with attempt, at, code and reason."
        },
        {
          "name": "cancelled-created",
          "form": "timestamp",
          "part": "addition",
          "writers": [
            "cancel"
          ],
          "description": "When somebody asked to cancel the task while it ran."
        },
        {
          "name": "progress",
          "form": "json-object",
          "part": "addition",
          "writers": [
            "note"
          ],
          "description": "How far the run is: fraction (0 to 1, or null), text and at, the time by the worker's clock."
        },
        {
          "name": "output",
          "form": "whole",
          "unit": "bytes",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "How much the runs printed; over the worker's cap: at least so much. Absent: nothing."
        },
        {
          "name": "cpu-time",
          "form": "decimal",
          "unit": "seconds",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "How much processor time the last run took, with its child processes."
        },
        {
          "name": "memory-peak",
          "form": "whole",
          "unit": "bytes",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "The most memory that the last run added to what its process had."
        }
      ]
    },
    {
      "key": "worker",
      "description": "One worker. Fades 6 leases after its last beat; a sealed one is kept for an hour. Besides these, one field request:{wait} for each of its waits: the number of the last claim request that stood behind it.",
      "fields": [
        {
          "name": "host",
          "form": "text",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "The name of its host."
        },
        {
          "name": "pid",
          "form": "whole",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "Its process id there."
        },
        {
          "name": "boot",
          "form": "text",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "The boot id of its kernel: with pidns, pid and born it says whether the process still exists."
        },
        {
          "name": "pidns",
          "form": "whole",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "The inode of the namespace in which pid counts."
        },
        {
          "name": "born",
          "form": "whole",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "When its process started, in clock ticks since the boot."
        },
        {
          "name": "started",
          "form": "timestamp",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "When it started."
        },
        {
          "name": "queues",
          "form": "names",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "The queues it serves, in that order."
        },
        {
          "name": "concurrency",
          "form": "whole",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "How many runs it does at once."
        },
        {
          "name": "version",
          "form": "text",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "The version of its package."
        },
        {
          "name": "language",
          "form": "text",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "What it is written in: python, node."
        },
        {
          "name": "catalog",
          "form": "text",
          "part": "addition",
          "writers": [
            "worker"
          ],
          "description": "The {sha} of the catalog of the functions it serves."
        },
        {
          "name": "request",
          "form": "whole",
          "part": "addition",
          "writers": [
            "claim"
          ],
          "description": "The number of its last claim request."
        },
        {
          "name": "suspect",
          "form": "text",
          "part": "addition",
          "writers": [
            "claim"
          ],
          "description": "The id of the one task with two losses that it holds. Absent or empty: there is none."
        },
        {
          "name": "sealed",
          "form": "timestamp",
          "part": "addition",
          "writers": [
            "recover",
            "seal"
          ],
          "description": "When it was taken for dead."
        }
      ]
    },
    {
      "key": "duties",
      "description": "The shared duties of all workers. Besides these, one field cursor:{queue}: how far the scan of that queue's executing list has come.",
      "fields": [
        {
          "name": "recover",
          "form": "milliseconds",
          "part": "addition",
          "writers": [
            "recover"
          ],
          "description": "The last call of recover that did something."
        },
        {
          "name": "amnesty-until",
          "form": "milliseconds",
          "part": "addition",
          "writers": [
            "recover"
          ],
          "description": "Until then nobody is taken for dead."
        },
        {
          "name": "promote",
          "form": "milliseconds",
          "part": "addition",
          "writers": [
            "promote"
          ],
          "description": "The last call of promote that did something."
        }
      ]
    },
    {
      "key": "cutoffs",
      "description": "Times up to which all that waits is cancelled. Its fields are queue:{queue} and function:{function}, each a timestamp.",
      "fields": []
    }
  ]
} as const;

export const KEYS = {
  "description": "Every key of the protocol. part: contract (fixed for ever) or addition. score: what the scores of a sorted set are.",
  "placeholders": {
    "app": "the application prefix",
    "queue": "the name of a queue",
    "id": "the id of a task",
    "worker": "the id of a worker, new for each start of its process; holds no space",
    "function": "the name of a function",
    "sha": "the hash of the content of a catalog, in hex",
    "token": "a word that one client chose for itself"
  },
  "keys": [
    {
      "name": "task",
      "pattern": "{app}:task:{id}",
      "type": "hash",
      "part": "contract",
      "description": "One task; its fields stand in fields.json."
    },
    {
      "name": "pending",
      "pattern": "{app}:{queue}:pending",
      "type": "list",
      "part": "contract",
      "description": "Ids that wait. Producers push at the left end, workers take from the right end."
    },
    {
      "name": "executing",
      "pattern": "{app}:{queue}:executing",
      "type": "list",
      "part": "contract",
      "description": "Ids that are being executed."
    },
    {
      "name": "worker",
      "pattern": "{app}:worker:{worker}",
      "type": "hash",
      "part": "contract",
      "description": "A worker that is alive; its fields stand in fields.json."
    },
    {
      "name": "results",
      "pattern": "{app}:results",
      "type": "channel",
      "part": "contract",
      "description": "One message for each finished task: the key of the task."
    },
    {
      "name": "protocol",
      "pattern": "{app}:protocol",
      "type": "string",
      "part": "addition",
      "description": "The version of the protocol that this prefix is used with."
    },
    {
      "name": "workers",
      "pattern": "{app}:workers",
      "type": "zset",
      "score": "end of the lease, ms of the Redis clock; -1: sealed; -2: sealed, and nothing is left to take back",
      "part": "addition",
      "description": "The workers. One lease covers all that a worker holds."
    },
    {
      "name": "held",
      "pattern": "{app}:held:{worker}",
      "type": "hash",
      "part": "addition",
      "description": "What a worker holds: id -> its claim, a space, its queue."
    },
    {
      "name": "queues",
      "pattern": "{app}:queues",
      "type": "set",
      "part": "addition",
      "description": "The names of the queues that were ever submitted to or served."
    },
    {
      "name": "duties",
      "pattern": "{app}:duties",
      "type": "hash",
      "part": "addition",
      "description": "When the shared duties were last done, and how far; its fields stand in fields.json."
    },
    {
      "name": "arrived",
      "pattern": "{app}:{queue}:arrived",
      "type": "list",
      "part": "addition",
      "description": "Ids that the wait of an idle worker has taken from pending, for the claim behind it. Every claim looks here before pending."
    },
    {
      "name": "scheduled",
      "pattern": "{app}:{queue}:scheduled",
      "type": "zset",
      "score": "when it is due, ms",
      "part": "addition",
      "description": "Ids that wait for a moment: delayed, to be run again, given back for later, recovered, or without their hash."
    },
    {
      "name": "waiting",
      "pattern": "{app}:{queue}:waiting",
      "type": "zset",
      "score": "when it was first seen, ms",
      "part": "addition",
      "description": "Ids that were pushed before their hash was written. Bounded."
    },
    {
      "name": "unclaimed",
      "pattern": "{app}:{queue}:unclaimed",
      "type": "zset",
      "score": "when it was first seen, ms",
      "part": "addition",
      "description": "Ids found in executing that no worker holds."
    },
    {
      "name": "parked",
      "pattern": "{app}:{queue}:parked",
      "type": "zset",
      "score": "when its first task was parked, ms",
      "part": "addition",
      "description": "The functions that have a parked list in this queue."
    },
    {
      "name": "parked-tasks",
      "pattern": "{app}:{queue}:parked:{function}",
      "type": "list",
      "part": "addition",
      "description": "Tasks that a worker without the function has set aside for one that serves it."
    },
    {
      "name": "failed",
      "pattern": "{app}:{queue}:failed",
      "type": "zset",
      "score": "when it failed, ms",
      "part": "addition",
      "description": "Ids of failed tasks, but not of cancelled ones. Bounded in number and age."
    },
    {
      "name": "quarantine",
      "pattern": "{app}:{queue}:quarantine",
      "type": "list",
      "part": "addition",
      "description": "Entries that can be no task, for a person to look at, newest first. Bounded."
    },
    {
      "name": "catalog",
      "pattern": "{app}:catalog:{sha}",
      "type": "hash",
      "part": "addition",
      "description": "The functions that a worker serves: name -> JSON. Named by its content, so two versions stand side by side."
    },
    {
      "name": "reply",
      "pattern": "{app}:reply:{token}",
      "type": "channel",
      "part": "addition",
      "description": "One message for each finished task whose reply-to names this channel: the key of the task, a newline, and its result-value if it succeeded and that is small."
    },
    {
      "name": "cmd",
      "pattern": "{app}:cmd",
      "type": "channel",
      "part": "addition",
      "description": "Hints to workers, as words: `parked {queue}`, `stop {worker}`. A hint is never the only carrier of a fact."
    },
    {
      "name": "stop",
      "pattern": "{app}:stop:{worker}",
      "type": "set",
      "part": "addition",
      "description": "Claims whose runs this worker is asked to end; its beat takes out what it holds no more. Gone after a minute."
    },
    {
      "name": "cancel",
      "pattern": "{app}:cancel",
      "type": "list",
      "part": "addition",
      "description": "LPUSH an id here to cancel its task; any worker acts on it."
    },
    {
      "name": "cutoffs",
      "pattern": "{app}:cutoffs",
      "type": "hash",
      "part": "addition",
      "description": "Times up to which all that waits in a queue, or for a function, is cancelled; its fields stand in fields.json."
    },
    {
      "name": "log",
      "pattern": "{app}:log:{id}",
      "type": "stream",
      "part": "addition",
      "description": "What a task printed: entries with s (stdout, stderr, log), t (when, a timestamp) and m (text). An entry's id is the bytes printed so far, a hyphen, a number. Bounded; expires with the task."
    }
  ]
} as const;

export const LIMITS = {
  "description": "The numbers of the protocol. defaults: what a worker passes to the scripts when nobody said otherwise. scripts: the numbers that stand in the Lua, by its file.",
  "defaults": [
    {
      "name": "beat",
      "value": 2,
      "unit": "s",
      "description": "Time between two beats of a worker."
    },
    {
      "name": "lease",
      "value": 10000,
      "unit": "ms",
      "description": "How long a beat keeps a worker alive."
    },
    {
      "name": "result-ttl",
      "value": 86400,
      "unit": "s",
      "description": "How long the hash of a successful task stays: 1 day."
    },
    {
      "name": "failed-ttl",
      "value": 604800,
      "unit": "s",
      "description": "How long the hash of a failed task stays, and its entry in failed: 7 days."
    },
    {
      "name": "losses",
      "value": 3,
      "unit": "",
      "description": "How many losses fail a task."
    },
    {
      "name": "args-cap",
      "value": 1048576,
      "unit": "bytes",
      "description": "The largest args of a task."
    },
    {
      "name": "result-cap",
      "value": 1048576,
      "unit": "bytes",
      "description": "The largest result-value."
    },
    {
      "name": "output-cap",
      "value": 65536,
      "unit": "bytes",
      "description": "How much output of a task is kept: the newest, about."
    },
    {
      "name": "reason-cap",
      "value": 4096,
      "unit": "bytes",
      "description": "The largest error-reason; what is longer is cut."
    },
    {
      "name": "traceback-cap",
      "value": 65536,
      "unit": "bytes",
      "description": "The largest error-exception; what is longer is cut."
    }
  ],
  "scripts": [
    {
      "script": "parts/ending",
      "name": "FAILED_KEPT",
      "value": 10000,
      "unit": "entries",
      "description": "The size of a queue's failed set."
    },
    {
      "script": "parts/ending",
      "name": "QUARANTINE_KEPT",
      "value": 1000,
      "unit": "entries",
      "description": "The size of a queue's quarantine."
    },
    {
      "script": "parts/ending",
      "name": "ID_BYTES",
      "value": 255,
      "unit": "bytes",
      "description": "The longest id."
    },
    {
      "script": "parts/ending",
      "name": "TOLD_BYTES",
      "value": 4096,
      "unit": "bytes",
      "description": "The largest result-value that a reply-to channel hears with the end."
    },
    {
      "script": "claim",
      "name": "HASH_GRACE",
      "value": 5000,
      "unit": "ms",
      "description": "How long an id may wait for its hash."
    },
    {
      "script": "claim",
      "name": "HASH_LOOK",
      "value": 250,
      "unit": "ms",
      "description": "Time between two looks for that hash."
    },
    {
      "script": "claim",
      "name": "WAITING_KEPT",
      "value": 10000,
      "unit": "entries",
      "description": "How many ids of a queue may wait for their hash."
    },
    {
      "script": "claim",
      "name": "WAITING_OLD",
      "value": 60000,
      "unit": "ms",
      "description": "After so long an id that waited for its hash is no longer remembered."
    },
    {
      "script": "claim",
      "name": "LOSSES_ALONE",
      "value": 2,
      "unit": "",
      "description": "A task with so many losses is held one at a time."
    },
    {
      "script": "claim",
      "name": "PARKED_NAMES",
      "value": 100,
      "unit": "entries",
      "description": "How many parked functions of a queue one call looks at."
    },
    {
      "script": "claim",
      "name": "NAME_BYTES",
      "value": 255,
      "unit": "bytes",
      "description": "The longest name of a function, and the longest traceparent that is handed on."
    },
    {
      "script": "beat",
      "name": "STOPS",
      "value": 1000,
      "unit": "entries",
      "description": "How many claims to end one beat looks at."
    },
    {
      "script": "cancel",
      "name": "TAKEN",
      "value": 100,
      "unit": "entries",
      "description": "How many ids of the cancel list one call takes."
    },
    {
      "script": "cancel",
      "name": "STOP_KEPT",
      "value": 60000,
      "unit": "ms",
      "description": "How long a worker has to hear of a stop."
    },
    {
      "script": "note",
      "name": "ENTRIES",
      "value": 1000,
      "unit": "entries",
      "description": "How many pieces of output a task keeps, about."
    },
    {
      "script": "retry",
      "name": "FAILURES_KEPT",
      "value": 10,
      "unit": "entries",
      "description": "How many failures a task keeps."
    },
    {
      "script": "retry",
      "name": "FAILURES_BYTES",
      "value": 262144,
      "unit": "bytes",
      "description": "A longer failures field is begun anew."
    },
    {
      "script": "recover",
      "name": "GAP",
      "value": 3000,
      "unit": "ms",
      "description": "A gap between two calls that begins an amnesty."
    },
    {
      "script": "recover",
      "name": "AMNESTY",
      "value": 5000,
      "unit": "ms",
      "description": "How long an amnesty lasts."
    },
    {
      "script": "recover",
      "name": "SEALED_A_CALL",
      "value": 20,
      "unit": "entries",
      "description": "How many workers whose lease is over one call seals."
    },
    {
      "script": "recover",
      "name": "DEAD_A_CALL",
      "value": 100,
      "unit": "entries",
      "description": "How many sealed workers one call looks through, and how many it forgets."
    },
    {
      "script": "recover",
      "name": "HELD_A_CALL",
      "value": 500,
      "unit": "entries",
      "description": "How many held tasks of dead workers one call takes back, about."
    },
    {
      "script": "recover",
      "name": "SCAN",
      "value": 500,
      "unit": "entries",
      "description": "How many entries of each executing list one call looks at."
    },
    {
      "script": "recover",
      "name": "UNCLAIMED_KEPT",
      "value": 10000,
      "unit": "entries",
      "description": "How many unclaimed ids of a queue are watched."
    },
    {
      "script": "recover",
      "name": "SEARCHES",
      "value": 50,
      "unit": "entries",
      "description": "How many of them one call looks for in executing."
    },
    {
      "script": "recover",
      "name": "UNCLAIMED",
      "value": 5000,
      "unit": "ms",
      "description": "How long an id may stand in executing held by nobody."
    },
    {
      "script": "recover",
      "name": "FOREIGN",
      "value": 3600000,
      "unit": "ms",
      "description": "The same for a task that runs without a claim."
    },
    {
      "script": "parts/sealing",
      "name": "SEALED_KEPT",
      "value": 3600000,
      "unit": "ms",
      "description": "How long a sealed worker is remembered."
    },
    {
      "script": "promote",
      "name": "NEXT_AT_MOST",
      "value": 86400000,
      "unit": "ms",
      "description": "The longest wait that a reply names."
    },
    {
      "script": "promote",
      "name": "PARKED_NAMES",
      "value": 100,
      "unit": "entries",
      "description": "How many parked functions of a queue one call looks at."
    }
  ]
} as const;

export const NAMES = {
  "description": "Which prefixes, queue names and ids are allowed. Patterns are regular expressions that must match the whole name.",
  "prefix": {
    "pattern": "[A-Za-z0-9._-]*(\\{[A-Za-z0-9._-]+\\})?[A-Za-z0-9._-]*",
    "characters_min": 1,
    "characters_max": 64,
    "default": "doshit",
    "description": "The first part of every key. At most one {tag}, which puts all its keys into one hash slot."
  },
  "queue": {
    "pattern": "[A-Za-z0-9._-]{1,64}",
    "default": "default",
    "reserved": [
      "cancel",
      "catalog",
      "cmd",
      "cutoffs",
      "duties",
      "functions",
      "held",
      "locks",
      "log",
      "protocol",
      "queues",
      "reply",
      "results",
      "schedule",
      "schedules",
      "stats",
      "stop",
      "task",
      "worker",
      "workers"
    ],
    "description": "Never a reserved word: those are the second part of other keys, and {app}:task:pending would be two things at once."
  },
  "id": {
    "bytes_min": 1,
    "bytes_max": 255,
    "description": "Any bytes. Opaque: nobody decodes an id on the way to a decision."
  }
} as const;

export const STATES = {
  "description": "The version of the protocol, the states of a task and the results of a finished one. There are no others.",
  "version": "1",
  "states": [
    {
      "name": "pending",
      "description": "Submitted and not running: waiting in a queue, delayed, or waiting for another run."
    },
    {
      "name": "executing",
      "description": "Taken by a worker."
    },
    {
      "name": "finished",
      "description": "Ended. The hash then has a result, and a lifetime."
    }
  ],
  "results": [
    {
      "name": "successful",
      "description": "The function returned; result-value holds what."
    },
    {
      "name": "failed",
      "description": "It did not; error-code, error-reason and error-exception say why."
    }
  ]
} as const;

export const TRANSITIONS = {
  "description": "The transitions: one Lua script each. from and to are states; replies are the words a call, or each task in it, can be answered with.",
  "transitions": [
    {
      "name": "submit",
      "from": [],
      "to": [
        "pending"
      ],
      "replies": [
        "created",
        "exists",
        "conflict",
        "wrong-type"
      ],
      "description": "Puts tasks into a queue, hash and list together."
    },
    {
      "name": "claim",
      "from": [
        "pending"
      ],
      "to": [
        "executing",
        "finished"
      ],
      "replies": [
        "claimed",
        "sealed",
        "unknown"
      ],
      "description": "Takes up to n tasks for one worker; ends those that cannot be run."
    },
    {
      "name": "finish",
      "from": [
        "executing"
      ],
      "to": [
        "finished"
      ],
      "replies": [
        "finished",
        "already",
        "stale"
      ],
      "description": "Writes the ends of runs."
    },
    {
      "name": "release",
      "from": [
        "executing"
      ],
      "to": [
        "pending"
      ],
      "replies": [
        "released",
        "stale",
        "wrong-type"
      ],
      "description": "Gives tasks back, at once or for later."
    },
    {
      "name": "retry",
      "from": [
        "executing"
      ],
      "to": [
        "pending"
      ],
      "replies": [
        "retried",
        "stale",
        "wrong-type"
      ],
      "description": "Puts off tasks whose run failed, to run them again."
    },
    {
      "name": "park",
      "from": [
        "executing"
      ],
      "to": [
        "pending"
      ],
      "replies": [
        "parked",
        "waits",
        "unknown",
        "stale",
        "wrong-type"
      ],
      "description": "Sets tasks aside whose function the worker lacks."
    },
    {
      "name": "beat",
      "from": [],
      "to": [],
      "replies": [
        "ok",
        "sealed",
        "unknown"
      ],
      "description": "Says that a worker lives."
    },
    {
      "name": "recover",
      "from": [
        "executing"
      ],
      "to": [
        "pending",
        "finished"
      ],
      "replies": [
        "early",
        "amnesty",
        "recovered"
      ],
      "description": "Takes back what dead workers held and what nobody holds."
    },
    {
      "name": "seal",
      "from": [],
      "to": [],
      "replies": [
        "sealed",
        "already",
        "unknown"
      ],
      "description": "Takes workers for dead that are known to be gone."
    },
    {
      "name": "promote",
      "from": [
        "pending"
      ],
      "to": [
        "pending"
      ],
      "replies": [
        "early",
        "promoted"
      ],
      "description": "Moves due tasks from scheduled to their queue."
    },
    {
      "name": "cancel",
      "from": [
        "pending",
        "executing"
      ],
      "to": [
        "finished"
      ],
      "replies": [
        "cancelled",
        "asked",
        "finished",
        "unknown",
        "wrong-type"
      ],
      "description": "Ends tasks before their run, or asks their worker to end it."
    },
    {
      "name": "note",
      "from": [],
      "to": [],
      "replies": [
        "noted",
        "stale"
      ],
      "description": "Keeps what running tasks tell: progress and output."
    },
    {
      "name": "requeue",
      "from": [
        "finished"
      ],
      "to": [
        "pending"
      ],
      "replies": [
        "requeued",
        "unknown",
        "not-failed",
        "wrong-type"
      ],
      "description": "Lets failed tasks run once more, by hand."
    },
    {
      "name": "drop",
      "from": [
        "finished"
      ],
      "to": [],
      "replies": [
        "dropped",
        "unknown",
        "not-failed",
        "wrong-type"
      ],
      "description": "Forgets failed tasks."
    }
  ]
} as const;
