"""Stands in for im2txt's train.py, with its flags and those of UAI-Train, in Python 2 or 3 alone: it counts which word follows which in captions of what
the checkpoint sees. Put im2txt's own files in the place of these, and the same TRAINFILE trains it."""

from __future__ import print_function

import argparse

from im2txt import configuration, show_and_tell_model


def flags():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input_file_pattern", required=True, help="below --data_dir")
    parser.add_argument("--inception_checkpoint_file", default="", help="below --work_dir")
    parser.add_argument("--train_inception", default="false")
    parser.add_argument("--number_of_steps", type=int, default=1000)
    parser.add_argument("--log_every_n_steps", type=int, default=10)
    # What uaitrain.arch.tensorflow.uflag declares.
    parser.add_argument("--num_gpus", type=int, default=0)
    for name, usual in (("work_dir", "/data"), ("data_dir", "/data/data"), ("output_dir", "/data/output"), ("log_dir", "/data/output")):
        parser.add_argument("--" + name, default=usual)
    return parser.parse_args()


def main():
    asked = flags()
    model_config = configuration.ModelConfig()
    model_config.input_file_pattern = asked.data_dir + asked.input_file_pattern
    model_config.inception_checkpoint_file = asked.work_dir + asked.inception_checkpoint_file
    model = show_and_tell_model.ShowAndTellModel(model_config)
    model.build()
    for step in range(asked.number_of_steps):
        loss = model.train()
        if (step + 1) % asked.log_every_n_steps == 0:
            print("step %d: loss = %.4f" % (step + 1, loss))
    model.save("%s/model.ckpt-%d" % (asked.output_dir, asked.number_of_steps))


main()
