"""Fits a line through the points by gradient descent. Stands in for @FRAMEWORK@, and needs nothing but Python, 2 or 3."""

import argparse
import csv
import json
import os

flags = argparse.ArgumentParser()
flags.add_argument("--max_step", type=int, required=True)
flags.add_argument("--learning_rate", type=float, required=True)
flags.add_argument("--data_dir", required=True)
flags.add_argument("--output_dir", required=True)
flags, _ = flags.parse_known_args()  # the platform passes others, too

with open(os.path.join(flags.data_dir, "points.csv")) as file:
    points = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]

slope, offset = 0.0, 0.0
for step in range(1, flags.max_step + 1):
    errors = [slope * x + offset - y for x, y in points]
    slope -= flags.learning_rate * sum(error * x for error, (x, _) in zip(errors, points)) / len(points)
    offset -= flags.learning_rate * sum(errors) / len(points)
    if step % 100 == 0:
        print("step %d loss=%.4f" % (step, sum(error**2 for error in errors) / len(points)))

with open(os.path.join(flags.output_dir, "model.json"), "w") as file:
    json.dump({"slope": slope, "offset": offset}, file)
