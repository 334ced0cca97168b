"""The log as a program reads it: one JSON object a line, and whose task a line is about."""

import json

from worker.standing import standing


def test_a_json_line_that_speaks_of_a_task_has_its_id_as_a_field(server, tmp_path):
    with standing(server, tmp_path, log_format="json", verbose=True) as stage:
        ids = [
            stage.start("says", text="hello"),
            stage.start("fails_twice_at_most", message="no"),
            stage.start("acrash", gate=str(tmp_path)),
        ]
        stage.all_ended(ids)
        assert stage.worker.stop() == 0
        lines = [json.loads(line) for line in stage.worker.log().splitlines()]
    spoken = [[line["message"].split()[2:4] for line in lines if line.get("task") == id] for id in ids]
    assert spoken == [
        [["stdout:", "hello"], ["says", "ended"]],
        [["fails_twice_at_most", "failed:"], ["fails_twice_at_most", "ended"]] * 3,
        [["acrash", "failed:"]],
    ]
    assert not [line for line in lines if line["message"].startswith("task ") != ("task" in line)]
