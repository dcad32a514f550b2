"""Answers to problem 6.2 of Homework 2 in TensorFlow, mostly written as a change to a plain right one."""

from __future__ import annotations

from chainrule.authoring.answers import Exercise, Problem, Wrong, change

# Short names for the checks of each graded cell, in their order there.
CHECKS = {
    "t6_2a-warm-up": ("row", "zeros", "flatten", "conv fan", "fc fan", "drawn"),
    "t6_2b-convnet": ("shape", "padding", "convolutions", "layout", "raw"),
    "t6_2b-init": ("shapes", "weights", "small", "biases"),
    "t6_2b-step": ("learns", "step", "cleared", "loss"),
    "t6_2b-accuracy": ("reached",),
    "t6_2c-network": ("shape", "parameters", "padding", "convolutions", "layout", "raw", "by heart"),
    "t6_2c-measure": ("even", "uneven", "mode"),
    "t6_2c-training": ("learns", "sgd", "mode", "losses"),
    "t6_2c-accuracy": ("reached",),
    "t6_2d-network": ("sequential", "parameters", "padding", "convolutions", "layout", "raw"),
    "t6_2d-optimizer": ("downhill", "nesterov", "rate"),
    "t6_2d-accuracy": ("reached",),
    "t6_2e-network": ("size", "first loss", "alone", "statistics", "by heart"),
    "t6_2e-training": ("trains",),
    "t6_2e-accuracy": ("50", "60", "70"),
}

# -- a: flatten and initial values -----------------------------------------------------------------------

WARM_UP = """
def flatten(x):
    return tf.reshape(x, (len(x), -1))


def random_weight(shape):
    return tf.random.normal(shape) * (2 / math.prod(shape[:-1])) ** 0.5


def zero_bias(size):
    return tf.zeros(size)
"""


def warm_up(*changes: str) -> str:
    return change(WARM_UP, *changes)


RIGHT_WARM_UP = {
    "reshape": WARM_UP,
    "a layer": warm_up("tf.reshape(x, (len(x), -1)) → layers.Flatten()(x)"),
    "tf.shape": warm_up("(len(x), -1) → (tf.shape(x)[0], -1)"),
    "an initializer": warm_up(
        "tf.random.normal(shape) * (2 / math.prod(shape[:-1])) ** 0.5 → keras.initializers.HeNormal()(shape)"
    ),
    "variables": warm_up(
        "return tf.random.normal(shape) * (2 / math.prod(shape[:-1])) ** 0.5"
        " → return tf.Variable(tf.random.normal(shape, stddev=math.sqrt(2 / math.prod(shape[:-1]))))",
        "return tf.zeros(size) → return tf.Variable(tf.zeros((size,)))",
    ),
    "keras.ops": warm_up("tf.reshape(x, (len(x), -1)) → keras.ops.reshape(x, (x.shape[0], -1))"),
}

WRONG_WARM_UP = {
    "24 flatten mixes the batch": Wrong(
        {"flatten"},
        "off by",
        warm_up(
            "(x, (len(x), -1)) → (tf.transpose(x, (0, 3, 1, 2)), (-1, len(x)))\n    return tf.transpose(_)",
            "return tf.reshape → _ = tf.reshape",
        ),
    ),
    "24 channels first": Wrong(
        {"flatten"}, "off by", warm_up("tf.reshape(x, → tf.reshape(tf.transpose(x, (0, 3, 1, 2)),")
    ),
    "23 rows and columns exchanged": Wrong(
        {"flatten"},
        "rows and columns are exchanged",
        warm_up("tf.reshape(x, → tf.reshape(tf.transpose(x, (0, 2, 1, 3)),"),
    ),
    "one vector": Wrong({"row", "flatten"}, "shape", warm_up("(len(x), -1) → (-1,)")),
    "28 fan-out": Wrong(
        {"conv fan"},
        "fan-out",
        warm_up("math.prod(shape[:-1]) → (math.prod(shape[:-2]) * shape[-1])"),
    ),
    "28 without the kernel": Wrong(
        {"conv fan"}, "leaves out the kernel", warm_up("math.prod(shape[:-1]) → shape[-2]")
    ),
    "28 PyTorch's order": Wrong({"conv fan", "fc fan"}, "random_weight", warm_up("shape[:-1] → shape[1:]")),
    "28 all sizes": Wrong({"conv fan"}, "all sizes are multiplied", warm_up("shape[:-1] → shape")),
    "28 variance 1/fan-in": Wrong({"conv fan"}, "1/fan-in", warm_up("(2 / → (1 /")),
    "28 Glorot": Wrong(
        {"conv fan", "fc fan"},
        "Glorot",
        warm_up(
            "tf.random.normal(shape) * (2 / math.prod(shape[:-1])) ** 0.5 → keras.initializers.GlorotNormal()(shape)"
        ),
    ),
    "no square root": Wrong({"conv fan"}, "square root is missing", warm_up(" ** 0.5 → ")),
    "uniform from 0": Wrong(
        {"conv fan", "drawn"}, "it should be 0", warm_up("random.normal → random.uniform")
    ),
    "uniform numbers of the right variance": Wrong(
        {"drawn"},
        "no normal numbers",
        warm_up(
            "tf.random.normal(shape) * (2 / math.prod(shape[:-1])) ** 0.5 → keras.initializers.HeUniform()(shape)"
        ),
        unnoticed="the visible checks do not ask how the numbers are distributed",
    ),
    "a seed in every call": Wrong(
        {"drawn"},
        "the same numbers in each call",
        warm_up("tf.random.normal(shape) → keras.random.normal(shape, seed=1)"),
    ),
    "float64": Wrong(
        {"drawn"}, "holds tf.float64", warm_up("normal(shape) → normal(shape, dtype=tf.float64)")
    ),
    "biases are whole numbers": Wrong(
        {"zeros"}, "holds tf.int32", warm_up("zeros(size) → zeros(size, dtype=tf.int32)")
    ),
    "flatten by NumPy": Wrong(
        {"row"},
        "no gradient comes back",
        warm_up("tf.reshape(x, (len(x), -1)) → tf.constant(x.numpy().reshape(len(x), -1))"),
    ),
    "nothing returned": Wrong(
        {"row", "zeros", "flatten", "conv fan", "fc fan", "drawn"}, "`return`", warm_up("return → _ =")
    ),
}

# -- b: the forward pass ---------------------------------------------------------------------------------

CONVNET = """
def three_layer_convnet(x, params):
    w1, b1, w2, b2, w3, b3 = params
    h = tf.nn.relu(tf.nn.conv2d(x, w1, 1, "SAME") + b1)
    h = tf.nn.relu(tf.nn.conv2d(h, w2, 1, "SAME") + b2)
    return flatten(h) @ w3 + b3
"""


def convnet(*changes: str) -> str:
    return change(CONVNET, *changes)


RIGHT_CONVNET = {
    "tf.nn": CONVNET,
    "bias_add": convnet(
        'tf.nn.conv2d(x, w1, 1, "SAME") + b1 → tf.nn.bias_add(tf.nn.conv2d(x, w1, 1, "SAME"), b1)'
    ),
    "padded by hand": convnet(
        'tf.nn.conv2d(x, w1, 1, "SAME") → tf.nn.conv2d(tf.pad(x, [[0, 0], [2, 2], [2, 2], [0, 0]]), w1, 1, "VALID")'
    ),
    "explicit paddings": convnet('w2, 1, "SAME" → w2, 1, [[0, 0], [1, 1], [1, 1], [0, 0]]'),
    "keras.ops": convnet(
        'tf.nn.conv2d(x, w1, 1, "SAME") → keras.ops.conv(x, w1, padding="same")',
        "flatten(h) @ w3 → keras.ops.matmul(flatten(h), w3)",
    ),
    "maximum": convnet("tf.nn.relu( → tf.math.maximum(x.dtype.as_numpy_dtype(0), "),
    "patches": """
def three_layer_convnet(x, params):
    w1, b1, w2, b2, w3, b3 = params

    def conv(x, w, b):
        k = w.shape[0]
        patches = tf.image.extract_patches(x, [1, k, k, 1], [1, 1, 1, 1], [1, 1, 1, 1], "SAME")
        return tf.nn.relu(patches @ tf.reshape(w, (-1, w.shape[-1])) + b)

    return tf.matmul(flatten(conv(conv(x, w1, b1), w2, b2)), w3) + b3
""",
    "a graph": convnet("def three → @tf.function\ndef three"),
}

WRONG_CONVNET = {
    "20 VALID for SAME": Wrong({"shape", "padding"}, "pads by 0, not 2", convnet('"SAME" → "VALID"')),
    "20 the first VALID": Wrong(
        {"shape", "padding"}, "pads by 0, not 2", convnet('w1, 1, "SAME" → w1, 1, "VALID"')
    ),
    "19 padding of the first too small": Wrong(
        {"shape", "padding"},
        "first convolution pads by 1, not 2",
        convnet('w1, 1, "SAME" → w1, 1, [[0, 0], [1, 1], [1, 1], [0, 0]]'),
    ),
    "stride 2": Wrong(
        {"shape", "padding"},
        "first convolution moves on by 2",
        convnet('w1, 1, "SAME" → w1, 2, [[0, 0], [2, 2], [2, 2], [0, 0]]'),
    ),
    "pooling": Wrong(
        {"shape", "padding"},
        "the largest of 2 × 2 features",
        convnet("    return f →     h = tf.nn.max_pool2d(h, 2, 2, 'VALID')\n    return f"),
    ),
    "21 kernels turned": Wrong(
        {"convolutions"},
        "turned by 180°",
        convnet("x, w1, 1 → x, w1[::-1, ::-1], 1", "h, w2, 1 → h, w2[::-1, ::-1], 1"),
    ),
    "channels first": Wrong(
        {"shape", "padding", "convolutions", "layout", "raw"},
        "your code raised",
        convnet(
            "    h = tf.nn.relu(tf.nn.conv2d(x"
            " →     x = tf.transpose(x, (0, 3, 1, 2))\n    h = tf.nn.relu(tf.nn.conv2d(x"
        ),
    ),
    "22 in and out channels exchanged": Wrong(
        {"shape", "padding", "convolutions", "layout", "raw"},
        "your code raised",
        convnet("x, w1, 1 → x, tf.transpose(w1, (0, 1, 3, 2)), 1"),
    ),
    "23 height and width exchanged": Wrong(
        {"convolutions"},
        "height and width",
        convnet("conv2d(x, w1 → conv2d(tf.transpose(x, (0, 2, 1, 3)), w1"),
    ),
    "24 flattened channels first": Wrong(
        {"layout"}, "off by", convnet("flatten(h) → tf.reshape(tf.transpose(h, (0, 3, 1, 2)), (len(h), -1))")
    ),
    "24 batch mixed": Wrong(
        {"layout"}, "off by", convnet("flatten(h) → tf.transpose(tf.reshape(h, (-1, len(h))))")
    ),
    "27 softmax": Wrong(
        {"raw"}, "softmax is applied", convnet("flatten(h) @ w3 + b3 → tf.nn.softmax(flatten(h) @ w3 + b3)")
    ),
    "ReLU at the end": Wrong(
        {"raw"}, "ReLU follows", convnet("flatten(h) @ w3 + b3 → tf.nn.relu(flatten(h) @ w3 + b3)")
    ),
    "last bias lost": Wrong({"raw"}, "last layer's bias", convnet("@ w3 + b3 → @ w3")),
    "no ReLU": Wrong({"convolutions"}, "both ReLUs", convnet("tf.nn.relu( → (")),
    "second ReLU lost": Wrong(
        {"convolutions"},
        "after the second convolution is missing",
        convnet("tf.nn.relu(tf.nn.conv2d(h → (tf.nn.conv2d(h"),
    ),
    "sigmoid for ReLU": Wrong(
        {"convolutions"}, "sigmoid takes the place", convnet("tf.nn.relu → tf.nn.sigmoid")
    ),
    "biases lost": Wrong({"convolutions"}, "biases of both", convnet(" + b1 → ", " + b2 → ")),
    "no gradient": Wrong(
        {"convolutions"},
        "no gradient reaches",
        convnet("tf.nn.conv2d(x, w1 → tf.nn.conv2d(x, tf.stop_gradient(w1)"),
    ),
    "nothing returned": Wrong(
        {"shape", "padding", "convolutions", "layout", "raw"}, "`return`", convnet("return f → _ = f")
    ),
}

# -- b: initial values -----------------------------------------------------------------------------------

INIT = """
def init_params():
    return [
        random_weight((5, 5, 3, 32)), zero_bias(32),
        random_weight((3, 3, 32, 16)), zero_bias(16),
        random_weight((16 * 32 * 32, 10)) / 10, zero_bias(10),
    ]
"""


def init(*changes: str) -> str:
    return change(INIT, *changes)


RIGHT_INIT = {
    "a list": INIT,
    "a tuple": init("return [ → return (", "    ]\n →     )\n"),
    "variables": init("return [ → return [tf.Variable(p) for p in [", "    ]\n →     ]]\n"),
    "an initializer": init("random_weight((3, 3, 32, 16)) → keras.initializers.HeNormal()((3, 3, 32, 16))"),
}

WRONG_INIT = {
    "22 PyTorch's order": Wrong({"shapes"}, "layer 1", init("(5, 5, 3, 32) → (32, 3, 5, 5)")),
    "22 in and out exchanged": Wrong(
        {"shapes"}, "inputs and outputs are exchanged", init("(5, 5, 3, 32) → (5, 5, 32, 3)")
    ),
    "20 sized for VALID": Wrong({"shapes"}, "10816", init("16 * 32 * 32 → 16 * 26 * 26")),
    "large last layer": Wrong({"small"}, "is not made smaller", init(" / 10, zero → , zero")),
    "all layers small": Wrong(
        {"weights"},
        "has variance",
        init("random_weight((3, 3, 32, 16)) → 0.1 * random_weight((3, 3, 32, 16))"),
    ),
    "biases at one": Wrong({"biases"}, "the largest bias", init("zero_bias(16) → zero_bias(16) + 1")),
    "five parameters": Wrong(
        {"shapes", "weights", "small", "biases"}, "six tensors", init(" / 10, zero_bias(10), →  / 10,")
    ),
}

# -- b: a training step ----------------------------------------------------------------------------------

STEP = """
def train_step(forward, params, x, y, lr):
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=forward(x, params))
        loss = tf.reduce_mean(losses)
    for p, g in zip(params, tape.gradient(loss, params)):
        p.assign_sub(lr * g)
    return float(loss)
"""


def step(*changes: str) -> str:
    return change(STEP, *changes)


RIGHT_STEP = {
    "assign_sub": STEP,
    "assign": step("p.assign_sub(lr * g) → p.assign(p - lr * g)"),
    "keras.losses": step(
        "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=forward(x, params))"
        " → keras.losses.sparse_categorical_crossentropy(y, forward(x, params), from_logits=True)"
    ),
    "a loss object": step(
        "        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=forward(x, params))\n"
        "        loss = tf.reduce_mean(losses)\n"
        " →         loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y, forward(x, params))\n"
    ),
    "a tensor comes back": step("float(loss) → loss"),
    "log-softmax by hand": step(
        "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=forward(x, params))"
        " → -tf.gather(tf.nn.log_softmax(forward(x, params)), y, batch_dims=1)"
    ),
}

WRONG_STEP = {
    "27 from_logits forgotten": Wrong(
        {"learns", "step"},
        "from_logits=True is missing",
        step(
            "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=forward(x, params))"
            " → keras.losses.sparse_categorical_crossentropy(y, forward(x, params))"
        ),
    ),
    "27 softmax before the loss": Wrong(
        {"step"},
        "softmax is taken twice",
        step("logits=forward(x, params) → logits=tf.nn.softmax(forward(x, params))"),
    ),
    "losses summed": Wrong({"step"}, "summed, not averaged", step("reduce_mean → reduce_sum")),
    "uphill": Wrong({"learns", "step"}, "uphill", step("assign_sub → assign_add")),
    "not in place": Wrong(
        {"learns", "step", "cleared"}, "never change", step("p.assign_sub(lr * g) → p = p - lr * g")
    ),
    "scores outside the tape": Wrong(
        {"learns", "step", "cleared", "loss"},
        "your code raised",
        step(
            "    with tf →     scores = forward(x, params)\n    with tf",
            "logits=forward(x, params) → logits=scores",
        ),
    ),
    "only the last parameter": Wrong(
        {"step"},
        "only the bias moves",
        step("zip(params, tape.gradient(loss, params)) → zip(params[1:], tape.gradient(loss, params[1:]))"),
    ),
    "lr ignored": Wrong({"step"}, "lr is not used", step("lr * g → g")),
    "nothing returned": Wrong({"loss"}, "is nothing", step("    return float(loss)\n → ")),
    "the losses of all pictures": Wrong({"loss"}, "return one number", step("float(loss) → losses")),
}

# -- c: the module ----------------------------------------------------------------------------------------

MODULE = """
class ThreeLayerConvNet(keras.Model):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__()
        self.conv1 = layers.Conv2D(channel_1, 5, padding="same", activation="relu")
        self.conv2 = layers.Conv2D(channel_2, 3, padding="same", activation="relu")
        self.fc = layers.Dense(num_classes)

    def call(self, x):
        return self.fc(flatten(self.conv2(self.conv1(x))))
"""


def module(*changes: str) -> str:
    return change(MODULE, *changes)


RIGHT_MODULE = {
    "activations": MODULE,
    "a list of layers": module(
        "self.conv1(x) → self.convs[0](x)",
        "self.conv2(self → self.convs[1](self",
        "        self.conv1 = →         self.convs = [",
        '"relu")\n        self.conv2 = → "relu"),',
        '"relu")\n        self.fc → "relu")]\n        self.fc',
    ),
    "built for its input": module(
        "        self.fc = layers.Dense(num_classes)\n"
        " →         self.fc = layers.Dense(num_classes)\n        self(tf.zeros((1, 32, 32, in_channel)))\n"
    ),
    "the last layer first": module(
        "        super().__init__()\n →         super().__init__()\n        self.fc = layers.Dense(num_classes)\n",
        '"relu")\n        self.fc = layers.Dense(num_classes)\n → "relu")\n',
    ),
    "weights of its own": """
class ThreeLayerConvNet(keras.Model):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__()
        shapes = (5, 5, in_channel, channel_1), (3, 3, channel_1, channel_2), (channel_2 * 32 * 32, num_classes)
        self.w = [self.add_weight(shape=shape, initializer="he_normal") for shape in shapes]
        self.b = [self.add_weight(shape=shape[-1:], initializer="zeros") for shape in shapes]

    def call(self, x):
        for w, b in zip(self.w[:2], self.b):
            x = tf.nn.relu(tf.nn.conv2d(x, w, 1, "SAME") + b)
        return tf.matmul(flatten(x), self.w[2]) + self.b[2]
""",
    "training as an argument": module("call(self, x): → call(self, x, training=False):"),
}

WRONG_MODULE = {
    "20 no padding": Wrong({"padding"}, "pads by 0, not 2", module(', padding="same" → ')),
    "20 the second valid": Wrong(
        {"padding"}, "pads by 0, not 1", module('3, padding="same" → 3, padding="valid"')
    ),
    "22 filters exchanged": Wrong(
        {"parameters"},
        "there is no parameter of shape",
        module("channel_1, 5 → channel_2, 5", "channel_2, 3 → channel_1, 3"),
    ),
    "no ReLU": Wrong({"convolutions"}, "both ReLUs", module(', activation="relu" → ')),
    "second ReLU lost": Wrong(
        {"convolutions"},
        "second convolution is missing",
        module('3, padding="same", activation="relu" → 3, padding="same"'),
    ),
    "27 softmax in the last layer": Wrong(
        {"raw"}, "softmax is applied", module('Dense(num_classes) → Dense(num_classes, activation="softmax")')
    ),
    "no last bias": Wrong(
        {"parameters"},
        "its parameters have the shapes",
        module("Dense(num_classes) → Dense(num_classes, use_bias=False)"),
    ),
    "24 channels first": Wrong(
        {"layout"},
        "off by",
        module(
            "flatten(self.conv2(self.conv1(x)))"
            " → tf.reshape(tf.transpose(self.conv2(self.conv1(x)), (0, 3, 1, 2)), (len(x), -1))"
        ),
    ),
    "global average": Wrong(
        {"parameters", "padding", "convolutions", "layout", "raw"},
        "its parameters have the shapes",
        module("flatten(self.conv2(self.conv1(x))) → tf.reduce_mean(self.conv2(self.conv1(x)), (1, 2))"),
    ),
    "variables not tracked": Wrong(
        {"parameters", "padding", "convolutions", "layout", "raw", "by heart"},
        "does not know",
        """
class ThreeLayerConvNet(keras.Model):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__()
        shapes = (5, 5, in_channel, channel_1), (3, 3, channel_1, channel_2), (channel_2 * 32 * 32, num_classes)
        self.w = [tf.Variable(random_weight(shape)) for shape in shapes]
        self.b = [tf.Variable(zero_bias(shape[-1])) for shape in shapes]

    def call(self, x):
        for w, b in zip(self.w[:2], self.b):
            x = tf.nn.relu(tf.nn.conv2d(x, w, 1, "SAME") + b)
        return tf.matmul(flatten(x), self.w[2]) + self.b[2]
""",
    ),
}

# -- c: accuracy and training -------------------------------------------------------------------------------

ACCURACY = """
def accuracy(model, loader):
    hits = seen = 0
    for x, y in loader:
        guesses = tf.argmax(model(x, training=False), axis=1)
        hits += int(tf.reduce_sum(tf.cast(guesses == y, tf.int32)))
        seen += len(y)
    return hits / seen
"""


def accuracy(*changes: str) -> str:
    return change(ACCURACY, *changes)


RIGHT_ACCURACY = {
    "argmax": ACCURACY,
    "without saying it": accuracy("model(x, training=False) → model(x)"),
    "a metric": """
def accuracy(model, loader):
    metric = keras.metrics.SparseCategoricalAccuracy()
    for x, y in loader:
        metric.update_state(y, model(x, training=False))
    return float(metric.result())
""",
    "numpy": accuracy(
        "        hits += int(tf.reduce_sum(tf.cast(guesses == y, tf.int32)))\n"
        " →         hits += (guesses.numpy() == y.numpy()).sum()\n"
    ),
    "predict_on_batch": accuracy("model(x, training=False) → model.predict_on_batch(x)"),
}

WRONG_ACCURACY = {
    "training=True": Wrong(
        {"mode"}, "batches seen in training mode", accuracy("training=False → training=True")
    ),
    "43 batches averaged": Wrong(
        {"uneven"},
        "the batches' accuracies are averaged",
        """
def accuracy(model, loader):
    shares = []
    for x, y in loader:
        guesses = tf.argmax(model(x, training=False), axis=1)
        shares.append(float(tf.reduce_mean(tf.cast(guesses == y, tf.float32))))
    return sum(shares) / len(shares)
""",
    ),
    "42 argmax over the batch": Wrong({"even", "uneven"}, "off by", accuracy("axis=1 → axis=0")),
    "hits counted": Wrong({"even"}, "hits are counted", accuracy("hits / seen → hits")),
    "per cent": Wrong({"even"}, "per cent", accuracy("hits / seen → 100 * hits / seen")),
    "only the last batch": Wrong(
        {"even", "uneven"},
        "only the last batch",
        accuracy("        guesses →         hits = seen = 0\n        guesses"),
    ),
}

TRAIN = """
def train(model, optimizer, loader, epochs=1):
    losses = []
    for epoch in range(epochs):
        for x, y in loader:
            with tf.GradientTape() as tape:
                scores = model(x, training=True)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables))
            losses.append(float(loss))
    return losses
"""


def train(*changes: str) -> str:
    return change(TRAIN, *changes)


RIGHT_TRAIN = {
    "apply_gradients": TRAIN,
    "apply": train(
        "optimizer.apply_gradients(zip(gradients, model.trainable_variables))"
        " → optimizer.apply(gradients, model.trainable_variables)"
    ),
    "a loss object": train(
        "tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores))"
        " → keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y, scores)"
    ),
    "a graph for each step": """
def train(model, optimizer, loader, epochs=1):
    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x, training=True)))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss

    optimizer.build(model.trainable_variables)
    return [float(step(x, y)) for epoch in range(epochs) for x, y in loader]
""",
    "train_on_batch": """
def train(model, optimizer, loader, epochs=1):
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = []
    for epoch in range(epochs):
        for x, y in loader:
            model.reset_metrics()
            losses.append(float(model.train_on_batch(x, y)))
    return losses
""",
}

WRONG_TRAIN = {
    "training=False": Wrong(
        {"mode"}, "is trained as it is evaluated", train("training=True → training=False")
    ),
    "27 from_logits forgotten": Wrong(
        {"learns", "sgd"},
        "from_logits=True is missing",
        train(
            "tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores))"
            " → keras.losses.SparseCategoricalCrossentropy()(y, scores)"
        ),
    ),
    "27 softmax before the loss": Wrong(
        {"sgd"}, "softmax is taken twice", train("_logits(y, scores) → _logits(y, tf.nn.softmax(scores))")
    ),
    "the tape ends too early": Wrong(
        {"learns", "sgd", "mode", "losses"},
        "your code raised",
        train(
            "                loss = tf →             loss = tf",
        ),
    ),
    "no step": Wrong(
        {"learns", "sgd"},
        "never change",
        train("            optimizer.apply_gradients(zip(gradients, model.trainable_variables))\n → "),
    ),
    "an optimizer of its own": Wrong(
        {"sgd"},
        "whatever the optimizer's learning rate",
        train(
            "            optimizer.apply"
            " →             optimizer = keras.optimizers.SGD(0.01)\n            optimizer.apply"
        ),
    ),
    "only the first variable": Wrong(
        {"sgd"},
        "does not go along the gradient",
        train(
            "zip(gradients, model.trainable_variables) → zip(gradients[:1], model.trainable_variables[:1])"
        ),
    ),
    "losses summed": Wrong({"sgd"}, "summed, not averaged", train("tf.reduce_mean → tf.reduce_sum")),
    "one epoch": Wrong({"sgd"}, "epochs is not used", train("range(epochs) → range(1)")),
    "one loss an epoch": Wrong(
        {"losses"}, "the number of losses", train("            losses.append →         losses.append")
    ),
    "nothing returned": Wrong({"losses"}, "`return`", train("    return losses\n → ")),
}

# -- d ------------------------------------------------------------------------------------------------------

SEQUENTIAL = """
def sequential_net(in_channel, channel_1, channel_2, num_classes):
    return keras.Sequential([
        layers.Conv2D(channel_1, 5, padding="same", activation="relu"),
        layers.Conv2D(channel_2, 3, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dense(num_classes),
    ])


def nesterov(model, lr=0.01):
    return keras.optimizers.SGD(learning_rate=lr, momentum=0.9, nesterov=True)
"""


def sequential(*changes: str) -> str:
    return change(SEQUENTIAL, *changes)


RIGHT_SEQUENTIAL = {
    "layers": SEQUENTIAL,
    "with an input": sequential("Sequential([ → Sequential([keras.Input((32, 32, in_channel)),"),
    "ReLU layers": sequential('5, padding="same", activation="relu"), → 5, padding="same"), layers.ReLU(),'),
    "input_shape and add": """
def sequential_net(in_channel, channel_1, channel_2, num_classes):
    net = keras.Sequential()
    net.add(layers.ZeroPadding2D(2))
    net.add(layers.Conv2D(channel_1, 5))
    net.add(layers.Activation("relu"))
    net.add(layers.Conv2D(channel_2, (3, 3), padding="same", activation=tf.nn.relu))
    net.add(layers.Reshape((-1,)))
    net.add(layers.Dense(num_classes))
    return net
""",
}

WRONG_SEQUENTIAL = {
    "20 valid": Wrong({"padding"}, "pads by 0, not 2", sequential(', padding="same" → ')),
    "27 softmax": Wrong(
        {"raw"},
        "softmax is applied",
        sequential('Dense(num_classes) → Dense(num_classes, activation="softmax")'),
    ),
    "27 a softmax layer": Wrong(
        {"raw"},
        "softmax is applied",
        sequential("Dense(num_classes), → Dense(num_classes), layers.Softmax(),"),
    ),
    "no ReLU": Wrong({"convolutions"}, "both ReLUs", sequential(', activation="relu" → ')),
    "a dropout": Wrong(
        {"convolutions"},
        "dropout is at work",
        sequential("layers.Flatten(), → layers.Dropout(0.5), layers.Flatten(),"),
    ),
    "a model": Wrong(
        {"sequential"},
        "not a keras.Sequential",
        sequential(
            "return keras.Sequential([ → net = keras.Sequential([",
            "    ])\n →     ])\n    x = keras.Input((32, 32, in_channel))\n    return keras.Model(x, net(x))\n",
        ),
    ),
}

RIGHT_NESTEROV = {
    "SGD": SEQUENTIAL,
    "by hand": sequential("learning_rate=lr, momentum=0.9, nesterov=True → lr, 0.9, True"),
}

WRONG_NESTEROV = {
    "plain momentum": Wrong({"nesterov"}, "momentum is plain", sequential(", nesterov=True → ")),
    "no momentum": Wrong(
        {"nesterov"}, "there is no momentum", sequential(", momentum=0.9, nesterov=True → ")
    ),
    "another momentum": Wrong({"nesterov"}, "momentum is 0.99", sequential("momentum=0.9 → momentum=0.99")),
    "Adam": Wrong(
        {"nesterov"},
        "four steps",
        sequential("SGD(learning_rate=lr, momentum=0.9, nesterov=True) → Adam(lr)"),
    ),
    "the rate fixed": Wrong({"rate"}, "learning rate", sequential("learning_rate=lr → learning_rate=0.01")),
    "another default": Wrong({"rate"}, "learning rate", sequential("lr=0.01 → lr=0.001")),
    "the model comes back": Wrong(
        {"downhill", "nesterov", "rate"},
        "no attribute 'apply_gradients'",
        sequential("return keras.optimizers → model.optimizer = keras.optimizers"),
    ),
}

# -- e ------------------------------------------------------------------------------------------------------

OPEN = """
class OpenNetwork(keras.Model):
    def __init__(self):
        super().__init__()
        self.one = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)
        self.norm = layers.BatchNormalization(momentum=0.9)
        self.two = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")
        self.drop = layers.Dropout(0.1)
        self.fc = layers.Dense(10)

    def call(self, x, training=False):
        h = tf.nn.relu(self.norm(self.one(x), training=training))
        h = tf.reduce_mean(self.two(h), (1, 2))
        return self.fc(self.drop(h, training=training))
"""


def own(*changes: str) -> str:
    return change(OPEN, *changes)


RIGHT_OPEN = {
    "a model": OPEN,
    "training from the context": own(
        "call(self, x, training=False) → call(self, x)", ", training=training → "
    ),
    "a functional model": """
def OpenNetwork():
    x = keras.Input((32, 32, 3))
    h = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(x)
    h = layers.BatchNormalization()(h)
    h = layers.GlobalAveragePooling2D()(h)
    return keras.Model(x, layers.Dense(10)(h))
""",
}

WRONG_OPEN = {
    "29 batch statistics in evaluation": Wrong(
        {"alone", "statistics"}, "depend", own("self.one(x), training=training → self.one(x), training=True")
    ),
    "36 dropout in evaluation": Wrong(
        {"alone"}, "asked twice", own("drop(h, training=training) → drop(h, training=True)", "0.1 → 0.5")
    ),
    "30 statistics frozen": Wrong(
        {"statistics"}, "stays as it was", own("self.one(x), training=training → self.one(x), training=False")
    ),
    "large scores": Wrong(
        {"first loss"}, "before training the loss is", own("return self.fc → return 100 * self.fc")
    ),
    "nine classes": Wrong(
        {"size", "first loss", "alone", "by heart"}, "not (3, 10)", own("Dense(10) → Dense(9)")
    ),
    "too large": Wrong(
        {"size"},
        "numbers, expected up to",
        own(
            "self.fc = layers.Dense(10)"
            " → self.fc = keras.Sequential([*(layers.Dense(n, 'relu') for n in (8000, 800)), layers.Dense(10)])"
        ),
    ),
}

OPEN_TRAINING = """
def train_open(model, train_loader, val_loader):
    optimizer = keras.optimizers.Adam(0.01)
    history = {"loss": [], "validation accuracy": []}
    for epoch in range(2):
        losses = []
        for x, y in train_loader:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x, training=True)))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables))
            losses.append(float(loss))
        history["loss"].append(sum(losses) / len(losses))
        history["validation accuracy"].append(accuracy(model, val_loader))
    return history
"""


def training(*changes: str) -> str:
    return change(OPEN_TRAINING, *changes)


RIGHT_OPEN_TRAINING = {
    "a loop": OPEN_TRAINING,
    "by train": """
def train_open(model, train_loader, val_loader):
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    history = {"loss": [], "validation accuracy": []}
    for epoch in range(2):
        losses = train(model, optimizer, train_loader)
        history["loss"].append(sum(losses) / len(losses))
        history["validation accuracy"].append(accuracy(model, val_loader))
    return history
""",
}

WRONG_OPEN_TRAINING = {
    "training=False": Wrong({"trains"}, "evaluation mode", training("training=True → training=False")),
    "45 trained on val_loader": Wrong({"trains"}, "val_loader", training("in train_loader → in val_loader")),
    "27 softmax": Wrong(
        {"trains"},
        "softmax taken twice",
        training("model(x, training=True))) → tf.nn.softmax(model(x, training=True))))"),
    ),
    "no step": Wrong(
        {"trains"},
        "no batch changes the weights",
        training("            optimizer.apply_gradients(zip(gradients, model.trainable_variables))\n → "),
    ),
    "eleven epochs": Wrong({"trains"}, "one to ten epochs", training("range(2) → range(11)")),
    "the loss summed": Wrong(
        {"trains"}, "it should be their mean", training("sum(losses) / len(losses) → sum(losses)")
    ),
    "no history": Wrong({"trains"}, "dict of lists", training("    return history\n → ")),
}

PROBLEM = Problem(
    notebook="p6_2_cnn_tensorflow",
    given=("t6_2-imports", "t6_2b-rehearsal", "t6_2c-mode", "t6_2c-sgd", "t6_2d-steps"),
    checks=CHECKS,
    mixes=False,  # some fill half a cell
    exercises=(
        Exercise(("t6_2a-warm-up",), "t6_2a-code", RIGHT_WARM_UP, WRONG_WARM_UP),
        Exercise(("t6_2b-convnet",), "t6_2b-convnet-code", RIGHT_CONVNET, WRONG_CONVNET),
        Exercise(("t6_2b-init",), "t6_2b-init-code", RIGHT_INIT, WRONG_INIT),
        Exercise(("t6_2b-step",), "t6_2b-step-code", RIGHT_STEP, WRONG_STEP),
        Exercise(("t6_2c-network",), "t6_2c-network-code", RIGHT_MODULE, WRONG_MODULE),
        Exercise(("t6_2c-measure",), "t6_2c-accuracy-code", RIGHT_ACCURACY, WRONG_ACCURACY),
        Exercise(("t6_2c-training",), "t6_2c-train-code", RIGHT_TRAIN, WRONG_TRAIN),
        Exercise(("t6_2d-network",), "t6_2d-code", RIGHT_SEQUENTIAL, WRONG_SEQUENTIAL),
        Exercise(("t6_2d-optimizer",), "t6_2d-code", RIGHT_NESTEROV, WRONG_NESTEROV),
        Exercise(("t6_2e-network",), "t6_2e-code", RIGHT_OPEN, WRONG_OPEN),
        Exercise(("t6_2e-training",), "t6_2e-code", RIGHT_OPEN_TRAINING, WRONG_OPEN_TRAINING, before=OPEN),
    ),
)
