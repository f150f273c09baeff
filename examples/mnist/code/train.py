#!/usr/bin/python3
"""Trains the network by stochastic gradient descent with momentum: train.py --solver FILE --hidden N."""

import argparse
import json
import os

import numpy

import digits
import network


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--solver", required=True)
    parser.add_argument("--hidden", type=int, required=True)
    options = parser.parse_args()
    with open(options.solver, encoding="utf-8") as file:
        solver = json.load(file)
    pictures, shown = digits.load(os.environ["TRAINMAKE_DATA_DIR"], "train")
    print(f"{len(pictures)} digits to learn from", flush=True)

    random = numpy.random.Generator(numpy.random.PCG64(7))
    model = network.fresh(pictures.shape[1], options.hidden, random)
    speed = {name: numpy.zeros_like(weights) for name, weights in model.items()}
    for epoch in range(solver["epochs"]):
        losses = []
        order = random.permutation(len(pictures))
        for start in range(0, len(order), solver["batch"]):
            batch = order[start : start + solver["batch"]]
            loss, slopes = network.gradients(model, pictures[batch], shown[batch])
            losses.append(loss)
            for name, slope in slopes.items():
                speed[name] = solver["momentum"] * speed[name] - solver["learning_rate"] * slope
                model[name] += speed[name]
        print(f"epoch {epoch + 1} of {solver['epochs']}: loss={numpy.mean(losses):.4f}", flush=True)

    learnt = network.accuracy(model, pictures, shown)
    print(f"accuracy={learnt:.4f} on the digits it learnt from", flush=True)
    out = os.environ["TRAINMAKE_OUTPUT_DIR"]
    network.save(model, os.path.join(out, "model.npz"))
    with open(os.path.join(out, "metrics.json"), "w", encoding="utf-8") as file:
        json.dump({"loss": round(float(numpy.mean(losses)), 4), "accuracy": round(learnt, 4)}, file)


if __name__ == "__main__":
    main()
