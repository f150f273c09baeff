"""Captions out of shards, and what a checkpoint sees in their pictures."""

import glob
import os


def find_shards(pattern, expected):
    shards = sorted(glob.glob(pattern))
    assert len(shards) == expected, "%d shards at %s, not %d" % (len(shards), pattern, expected)
    return shards


def examples(shards):
    """Pairs of a picture and the words of its caption."""
    for shard in shards:
        with open(shard) as lines:
            for line in lines:
                picture, caption = line.split(" ", 1)
                yield picture, caption.split()


def restore(checkpoint):
    """What is in each picture; nothing without a checkpoint."""
    if not os.path.isfile(checkpoint):
        print("Nothing to restore at %s: pictures are not looked at" % checkpoint)
        return {}
    print("Restoring Inception variables from checkpoint file %s" % checkpoint)
    with open(checkpoint) as lines:
        return dict(line.split() for line in lines)
