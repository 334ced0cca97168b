import os, time, subprocess, signal
import pytest
from worker.standing import standing
def test_it(server, tmp_path):
    with standing(server, tmp_path, children=2) as stage:
        try:
            for way, mb in (("print",30),("lines",30),("no newline",30),("subprocess",300)):
                id = stage.start("floods", way=way, megabytes=mb)
                t=time.time()
                try:
                    stage.value(id, 12)
                    print(way, time.time()-t)
                except AssertionError as e:
                    print(way, "FAIL", stage.task(id))
                    for pid in stage.worker.tree():
                        print(pid, open(f"/proc/{pid}/wchan").read(), open(f"/proc/{pid}/stat").read().split()[2], open(f"/proc/{pid}/cmdline").read().replace("\0"," ")[-60:], open(f"/proc/{pid}/stat").read().split()[13:15])
                    print(stage.worker.log()[-1500:])
                    raise
        finally: pass
