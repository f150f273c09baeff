"""How likely a word is in the caption of a picture, by what is in that and the word before."""

import collections
import json
import math

from im2txt.ops import inputs


class ShowAndTellModel(object):
    def __init__(self, config):
        self.config = config
        self.follows = collections.defaultdict(collections.Counter)

    def build(self):
        shards = inputs.find_shards(self.config.input_file_pattern, self.config.shards)
        self.seen = inputs.restore(self.config.inception_checkpoint_file)
        self.examples = list(inputs.examples(shards))
        self.next = 0

    def train(self):
        """One example: how far it was from what was expected."""
        picture, words = self.examples[self.next % len(self.examples)]
        self.next += 1
        loss = 0.0
        for before, word in zip(["<S>"] + words, words + ["</S>"]):
            known = self.follows[self.seen.get(picture, "") + " " + before]
            loss -= math.log((known[word] + self.config.unlikely) / (sum(known.values()) + 1.0)) / (len(words) + 1)
            known[word] += 1
        return loss

    def save(self, path):
        with open(path, "w") as model:
            json.dump(self.follows, model, sort_keys=True)
