#!/usr/bin/python3
"""Says how many of the digits that it has not seen a trained network reads right."""

import json
import os

import digits
import network


def main():
    data = os.environ["TRAINMAKE_DATA_DIR"]
    model = network.load(os.path.join(data, "model", "model.npz"))
    pictures, shown = digits.load(data, "test")
    right = network.accuracy(model, pictures, shown)
    print(f"accuracy={right:.4f} on {len(pictures)} digits it has not seen", flush=True)
    with open(os.path.join(os.environ["TRAINMAKE_OUTPUT_DIR"], "metrics.json"), "w", encoding="utf-8") as file:
        json.dump({"accuracy": round(right, 4)}, file)


if __name__ == "__main__":
    main()
