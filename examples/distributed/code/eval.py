#!/usr/bin/python3
"""How often the trained softmax names the right class of points that it has not seen."""

import argparse
import json
import os

import numpy as np
from points import points


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--train_url", required=True)
    flags = parser.parse_known_args()[0]
    weights = np.load(flags.model)["weights"]
    features, labels = points(seed=2, count=1000)
    accuracy = float(np.mean((features @ weights).argmax(axis=1) == labels))
    print(f"accuracy={accuracy:.4f}", flush=True)
    with open(os.path.join(flags.train_url, "report.json"), "w", encoding="utf-8") as report:
        json.dump({"accuracy": accuracy}, report)


if __name__ == "__main__":
    main()
