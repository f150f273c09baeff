"""Fits a line through the points by gradient descent. Needs nothing but Python."""

import csv
import json
import os
import sys

params = dict(zip(sys.argv[1::2], sys.argv[2::2]))
rate, epochs = float(params["--rate"]), int(params["--epochs"])

with open(os.path.join(os.environ["TRAINMAKE_DATA_DIR"], "points.csv"), newline="") as file:
    points = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]

slope, offset = 0.0, 0.0
for epoch in range(1, epochs + 1):
    errors = [slope * x + offset - y for x, y in points]
    slope -= rate * sum(error * x for error, (x, _) in zip(errors, points)) / len(points)
    offset -= rate * sum(errors) / len(points)
    if epoch % 100 == 0:
        print(f"epoch {epoch} loss={sum(error**2 for error in errors) / len(points):.4f}", flush=True)

with open(os.path.join(os.environ["TRAINMAKE_OUTPUT_DIR"], "model.json"), "w") as file:
    json.dump({"slope": slope, "offset": offset}, file)
