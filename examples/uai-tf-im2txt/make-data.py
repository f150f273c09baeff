"""Writes what im2txt reads, small: 256 shards of pictures with captions in data/, and checkpoint/inception_v3.ckpt, which knows what is in a picture. The
same bytes every time."""

import os
import random

ANIMALS = ("cat", "dog", "horse", "sheep")
SAYINGS = ("a {} on the grass", "a small {} near a fence", "the {} looks at the camera")
SHARDS, EXAMPLES, PICTURES = 256, 4, 64


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    for folder in ("data", "checkpoint"):
        if not os.path.isdir(os.path.join(here, folder)):
            os.mkdir(os.path.join(here, folder))
    draw = random.Random(256)
    pictures = ["picture-%02d" % i for i in range(PICTURES)]
    seen = {picture: ANIMALS[i % len(ANIMALS)] for i, picture in enumerate(pictures)}
    with open(os.path.join(here, "checkpoint/inception_v3.ckpt"), "w") as checkpoint:
        checkpoint.writelines("%s %s\n" % (picture, seen[picture]) for picture in pictures)
    for shard in range(SHARDS):
        with open(os.path.join(here, "data/train-%05d-of-%05d" % (shard, SHARDS)), "w") as lines:
            for _ in range(EXAMPLES):
                picture = pictures[int(draw.random() * PICTURES)]
                lines.write("%s %s\n" % (picture, SAYINGS[int(draw.random() * len(SAYINGS))].format(seen[picture])))


main()
