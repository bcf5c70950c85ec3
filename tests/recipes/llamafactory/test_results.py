"""What LLaMA-Factory leaves behind, read as it writes it."""

import json

from recipes.llamafactory.results import peak_vram


def test_the_peak_of_memory_is_read_from_llamafactorys_log(tmp_path):
    assert peak_vram(tmp_path) is None
    rows = [{"vram_reserved": 3.5}, {"vram_reserved": 7.25}, {"loss": 1.0}]
    (tmp_path / "trainer_log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert peak_vram(tmp_path) == 7.25
