"""Pictures of digits: the MNIST files when they are there, else drawn here, the same ones every time.

load(folder, "train" | "test") gives pictures as rows of 28 * 28 numbers in 0..1, and the digit that each one shows.
"""

import gzip
import os
import struct

import numpy

SIDE = 28
FILES = {"train": "train", "test": "t10k"}  # our name of a part, and its name among the MNIST files
DRAWN = {"train": (8000, 1), "test": (1000, 2)}  # how many are drawn, and from which seed

FONT = {
    0: (".###.", "#...#", "#..##", "#.#.#", "##..#", "#...#", ".###."),
    1: ("..#..", ".##..", "..#..", "..#..", "..#..", "..#..", ".###."),
    2: (".###.", "#...#", "....#", "...#.", "..#..", ".#...", "#####"),
    3: ("#####", "...#.", "..#..", "...#.", "....#", "#...#", ".###."),
    4: ("...#.", "..##.", ".#.#.", "#..#.", "#####", "...#.", "...#."),
    5: ("#####", "#....", "####.", "....#", "....#", "#...#", ".###."),
    6: ("..##.", ".#...", "#....", "####.", "#...#", "#...#", ".###."),
    7: ("#####", "....#", "...#.", "..#..", ".#...", ".#...", ".#..."),
    8: (".###.", "#...#", "#...#", ".###.", "#...#", "#...#", ".###."),
    9: (".###.", "#...#", "#...#", ".####", "....#", "...#.", ".##.."),
}


def load(folder, part):
    images = find(folder, f"{FILES[part]}-images-idx3-ubyte")
    labels = find(folder, f"{FILES[part]}-labels-idx1-ubyte")
    if images and labels:
        pictures = read_idx(images)
        return pictures.reshape(len(pictures), -1) / 255, read_idx(labels).astype(int)
    return draw(*DRAWN[part])


def find(folder, name):
    for path in (os.path.join(folder, name), os.path.join(folder, name + ".gz")):
        if os.path.exists(path):
            return path
    return None


def read_idx(path):
    """An idx file: two zero bytes, the type (8: bytes), how many dimensions, their sizes, and the bytes."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        zero, kind, dimensions = struct.unpack(">HBB", file.read(4))
        if zero != 0 or kind != 8:
            raise ValueError(f"{path} is no idx file of bytes")
        sizes = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
        return numpy.frombuffer(file.read(), numpy.uint8).reshape(sizes)


def draw(count, seed):
    """Each digit of the font, turned, slanted, stretched and shifted a little, blurred, and with noise."""
    random = numpy.random.Generator(numpy.random.PCG64(seed))
    glyphs = numpy.zeros((10, 9, 7))  # with an empty border, so that a sample outside is empty
    for digit, rows in FONT.items():
        glyphs[digit, 1:8, 1:6] = [[dot == "#" for dot in row] for row in rows]
    digits = random.integers(0, 10, count)

    def each(low, high):
        return random.uniform(low, high, count)[:, None, None]

    # Where in the glyph does every pixel of the picture lie? (Centres at 0, a glyph dot is 3 pixels on average.)
    y, x = numpy.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    y, x = y[None] - each(-3, 3), x[None] - each(-3, 3)
    angle = each(-0.3, 0.3)
    y, x = numpy.cos(angle) * y - numpy.sin(angle) * x, numpy.sin(angle) * y + numpy.cos(angle) * x
    row = y / each(2.4, 3.3) + 4
    column = (x + each(-0.25, 0.25) * y) / each(2.4, 3.6) + 3

    pictures = sample(glyphs[digits], row, column)
    for axis in (1, 2):  # a small blur
        pictures = (numpy.roll(pictures, 1, axis) + 2 * pictures + numpy.roll(pictures, -1, axis)) / 4
    pictures = pictures * each(0.5, 1.0) + random.normal(0, 0.15, pictures.shape)
    return pictures.clip(0, 1).reshape(count, -1), digits


def sample(glyphs, row, column):
    """Bilinear: the value of each glyph at the given places, empty outside of it."""
    row, column = row.clip(0, 7.999), column.clip(0, 5.999)
    top, left = row.astype(int), column.astype(int)
    down, right = row - top, column - left
    which = numpy.arange(len(glyphs))[:, None, None]
    return (
        glyphs[which, top, left] * (1 - down) * (1 - right)
        + glyphs[which, top, left + 1] * (1 - down) * right
        + glyphs[which, top + 1, left] * down * (1 - right)
        + glyphs[which, top + 1, left + 1] * down * right
    )
