#!/usr/bin/python3
"""Softmax regression, synchronous: parameter servers keep a share of the weights each, workers a share of the points.

Takes MoXing's flags. Every process is started with the same ones but for --job_name and --task_index; worker 0 writes the model.
"""

import argparse
import os

import numpy as np
import wire
from points import CLASSES, points


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_name", choices=["ps", "worker"], required=True)
    parser.add_argument("--task_index", type=int, required=True)
    parser.add_argument("--ps_hosts", type=lambda text: text.split(","), required=True)
    parser.add_argument("--worker_hosts", type=lambda text: text.split(","), required=True)
    parser.add_argument("--train_url", required=True)
    parser.add_argument("--rate", type=float, default=0.5)
    parser.add_argument("--steps", type=int, default=60)
    return parser.parse_known_args()[0]  # a platform may have more of them


def serve(flags):
    """Adds up what all workers send of its share, a step at a time, and sends the new share to each. Never ends by itself."""
    with wire.listen(flags.ps_hosts[flags.task_index]) as server:
        print("serving", flush=True)
        while True:
            serve_a_training(server, flags)


def serve_a_training(server, flags):
    workers = {}
    while len(workers) < len(flags.worker_hosts):
        connection, _ = server.accept()
        workers[int(wire.receive(connection)[0])] = connection
    share = None
    while True:
        gradients = [wire.receive(workers[index]) for index in sorted(workers)]
        if any(gradient is None for gradient in gradients):
            return
        total = sum(gradients)
        share = -flags.rate * total if share is None else share - flags.rate * total
        for index in sorted(workers):
            wire.send(workers[index], share)


def train(flags):
    features, labels = points(seed=1, count=2000)
    mine = slice(flags.task_index, None, len(flags.worker_hosts))
    features, targets = features[mine], np.eye(CLASSES)[labels[mine]]
    servers = [wire.connect(address) for address in flags.ps_hosts]
    for server in servers:
        wire.send(server, np.array([flags.task_index]))
    weights = np.zeros((features.shape[1], CLASSES))
    for step in range(1, flags.steps + 1):
        scores = features @ weights
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        gradient = features.T @ (chances - targets) / len(features) / len(flags.worker_hosts)
        for server, share in zip(servers, np.array_split(gradient.ravel(), len(servers))):
            wire.send(server, share)
        weights = np.concatenate([wire.receive(server) for server in servers]).reshape(weights.shape)
        if flags.task_index == 0 and (step % 20 == 0 or step == flags.steps):
            loss = -np.mean(np.log((chances * targets).sum(axis=1)))
            print(f"step {step} loss={loss:.6f}", flush=True)
    if flags.task_index == 0:
        np.savez(os.path.join(flags.train_url, "softmax.npz"), weights=weights)
    print("done", flush=True)


if __name__ == "__main__":
    FLAGS = arguments()
    serve(FLAGS) if FLAGS.job_name == "ps" else train(FLAGS)
