"""The world network's accuracy on held-out seeds, as the page on feature networks shows it."""

import json

from kiloframe.web.front import fill, world_network


def test_the_world_network_is_shown_with_its_own_accuracy(tmp_path, root):
    assert "not trained here yet" in world_network(tmp_path)
    held = json.loads((root / "weights" / "world_network.json").read_text("utf-8"))["held_out"]
    rows = [line for line in world_network(root).splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(held)
    assert (
        f"| stories | action | {held['stories_action']['value']:.3f} | {held['stories_action']['chance']:.3f} |" in rows
    )
    assert "`python -m reproductions.measures.world_training`" in fill(
        "<!-- kf:world-network -->", {"world-network": lambda: world_network(root)}, "docs/x.md"
    )
