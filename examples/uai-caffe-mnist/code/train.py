"""Stands in for Caffe under the flags that UAI-Train's train.py takes, in Python 2 or 3 alone: it follows the solver, and of the net it learns the last
layer, straight from the pixels. Put Caffe's own train.py in its place, and the same TRAINFILE trains LeNet."""

from __future__ import print_function

import argparse
import json
import math
import os

import prototxt


def flags():
    parser = argparse.ArgumentParser()
    parser.add_argument("--solver", required=True)
    parser.add_argument("--snapshot", help="a model to go on from")
    parser.add_argument("--use_cpu", default="false")
    parser.add_argument("--timing", action="store_true")
    parser.add_argument("--num_gpus", type=int, default=0)
    for folder in ("work_dir", "data_dir", "output_dir", "log_dir"):
        parser.add_argument("--" + folder)  # Caffe's paths stand in the solver
    return parser.parse_args()


def layers_of(net, kind):
    return [layer for layer in net["layer"] if layer["type"] == [kind]]


def digits(net, phase):
    """The label and the dark pixels of each, and how many are taken at once."""
    layer = next(each for each in layers_of(net, "Data") if each["include"][0]["phase"] == [phase])["data_param"][0]
    found = []
    with open(os.path.join(layer["source"][0], "digits.txt")) as lines:
        for line in lines:
            label, pixels = line.split()
            found.append((int(label), [i for i, pixel in enumerate(pixels) if pixel == "#"] + [len(pixels)]))
    return found, layer["batch_size"][0]


def chances(weights, pixels):
    scores = [sum(row[i] for i in pixels) for row in weights]
    most = max(scores)
    powers = [math.exp(score - most) for score in scores]
    return [power / sum(powers) for power in powers]


def rate_at(solver, step):
    rate = solver["base_lr"][0]
    if solver.get("lr_policy", ["fixed"]) == ["inv"]:
        rate *= (1 + solver["gamma"][0] * step) ** -solver["power"][0]
    return rate


def one_step(weights, speed, batch, rate, solver):
    """Its mean loss. The batch moves the weights by way of their speed."""
    loss = 0.0
    slope = [[0.0] * len(row) for row in weights]
    for label, pixels in batch:
        likely = chances(weights, pixels)
        loss -= math.log(max(likely[label], 1e-12)) / len(batch)
        for digit, row in enumerate(slope):
            wrong = (likely[digit] - (digit == label)) / len(batch)
            for i in pixels:
                row[i] += wrong
    momentum, decay = solver["momentum"][0], solver["weight_decay"][0]
    for row, its_speed, its_slope in zip(weights, speed, slope):
        for i in range(len(row)):
            its_speed[i] = momentum * its_speed[i] - rate * (its_slope[i] + decay * row[i])
            row[i] += its_speed[i]
    return loss


def save(path, weights):
    with open(path, "w") as model:
        json.dump(weights, model)
    print("Snapshotting to", path)


def main():
    asked = flags()
    solver = prototxt.read(asked.solver)
    net = prototxt.read(solver["net"][0])
    print("Using", asked.num_gpus or "no", "GPUs;", "solver", asked.solver)
    train, batch_size = digits(net, "TRAIN")
    test, _ = digits(net, "TEST")
    outputs = layers_of(net, "InnerProduct")[-1]["inner_product_param"][0]["num_output"][0]
    weights = [[0.0] * 65 for _ in range(outputs)]
    if asked.snapshot:
        with open(asked.snapshot) as model:
            weights = json.load(model)
    speed = [[0.0] * len(row) for row in weights]
    prefix = solver["snapshot_prefix"][0]
    for step in range(solver["max_iter"][0] + 1):
        if step and step % solver["snapshot"][0] == 0:
            save("%s_iter_%d.caffemodel" % (prefix, step), weights)
        batch = [train[(step * batch_size + i) % len(train)] for i in range(batch_size)]
        loss = one_step(weights, speed, batch, rate_at(solver, step), solver)
        if step % solver["display"][0] == 0:
            print("Iteration %d, loss = %.6f" % (step, loss))
    right = sum(max(zip(chances(weights, pixels), range(outputs)))[1] == label for label, pixels in test)
    print("Test net output #0: accuracy = %.4f" % (float(right) / len(test)))
    save(prefix + ".caffemodel", weights)


main()
