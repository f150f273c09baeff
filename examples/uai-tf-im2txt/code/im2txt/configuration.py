"""What the model is built of."""


class ModelConfig(object):
    input_file_pattern = None
    inception_checkpoint_file = None
    shards = 256
    unlikely = 0.01  # what a word that never came there counts
