"""Checkpoints whose JSON is changed in the file, whatever limner would write."""

import json


def change_facts(path, change):
    """Let a function change the JSON of a checkpoint in place; the tensors stay as they are."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    facts = json.loads(header["__metadata__"]["limner"])
    change(facts)
    header["__metadata__"]["limner"] = json.dumps(facts)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])
