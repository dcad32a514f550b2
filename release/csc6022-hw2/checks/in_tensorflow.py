"""What the checks of both notebooks of problem 6.2 call things, in TensorFlow's words."""

IN_CALL = "no tf.stop_gradient and no numpy() on the way"
A_TAPE = "a tape for each batch, and one step"
TRAINING = "model(x, training=True) in every step"

WORDS = {
    # a: flatten and initial values
    "torch.zeros": "tf.zeros",
    "torch.randn": "tf.random.normal",
    "holds torch.": "holds tf.",
    "all sizes but the first": "all sizes but the last",
    "x[n, c, i, j] and x[n, c, i, j + 1] are neighbours; no permute, no transpose": (
        "x[n, i, j, c] and x[n, i, j, c + 1] are neighbours; no transpose"
    ),
    "order channel, row, column": "order row, column, channel",
    "the first size of the shape, but the shape is (out, in, …)": "the last size, but it is (…, in, out)",
    "it is (out, in, …)": "it is (…, in, out)",
    "weights are (out, in, …)": "weights are (…, in, out)",
    # networks
    "assign them to self, lists of them as nn.ModuleList": "assign them to self",
    "self.layers = nn.ModuleList([…]) in place of a plain list, and no layers made in forward": (
        "self.layer = …, in __init__; no layers made in call"
    ),
    "forward must not switch gradients off (torch.no_grad, detach, .data)": IN_CALL,
    "no torch.no_grad, detach or .data on the way; layers are made in __init__, not in forward": (
        f"{IN_CALL}; layers are made in __init__, not in call"
    ),
    "no torch.no_grad, detach or .data on the way": IN_CALL,
    "no torch.no_grad, detach or .data in forward": IN_CALL,
    "nn.Conv2d(in, out, kernel_size, padding=…) and nn.Linear(in, out), with the padding of the text": (
        'layers.Conv2D(filters, kernel_size, padding="same") and layers.Dense(units)'
    ),
    "nothing in forward is drawn": "nothing in call is drawn",
    "nn.BatchNorm2d does both by itself": "layers.BatchNormalization does both, if it is told training=True or False",
    "an nn.Sequential": "a keras.Sequential",
    "nn.Sequential(…)": "keras.Sequential([…])",
    # steps
    "F.cross_entropy of the raw scores, then p -= lr * p.grad for every p": (
        "the mean loss of the raw scores, then p.assign_sub(lr * gradient) for every p"
    ),
    "backward() computes gradients, then p -= lr * p.grad": (
        "tape.gradient computes gradients, then p.assign_sub(lr * gradient)"
    ),
    "backward() comes first, then the update in place, `p -= …`": (
        "first the gradients, then the update in place, `p.assign_sub(…)`"
    ),
    "backward() has to come before it": "the gradients have to come before it",
    "clear every p.grad after the step (or before backward)": A_TAPE,
    "p.grad = None, or p.grad.zero_(), in every step": A_TAPE,
    "loss.item()": "float(loss)",
    "the softmax is taken twice: cross_entropy wants raw scores": "the softmax is taken twice: the loss wants scores",
    "nll_loss wants log-softmax, not scores": "the scores are taken for logarithms of probabilities",
    # the training loop
    "backward() or step() is missing, or zero_grad() is between them": "no gradients, or no optimizer.apply_gradients",
    "is backward() or step() missing, is zero_grad() between them, or has": "is apply_gradients missing, or has",
    "clear, backward and step for every batch": A_TAPE,
    "optimizer.zero_grad() is missing": A_TAPE,
    "step() comes before backward()": "the step comes before the gradients",
    "a model that comes in evaluation mode is trained in it: model.train() is missing": (
        f"the model is trained as it is evaluated: {TRAINING}"
    ),
    "the model is trained in evaluation mode: model.train() at the start of every epoch": (
        f"the model is trained as it is evaluated: {TRAINING}"
    ),
    "model.train() at the start of every epoch": TRAINING,
    "model.eval() before the loop": "model(x, training=False)",
    "loss.backward() computes gradients, optimizer.step() uses them": (
        "tape.gradient computes gradients, optimizer.apply_gradients uses them"
    ),
    "loss of the raw scores, clear, backward, one step of the optimizer that is given": (
        "loss of the raw scores, its gradients, one step of the optimizer that is given"
    ),
    "for every batch: clear, backward, one step; old gradients must not pile up": A_TAPE,
    "give it model.parameters()": "apply_gradients(zip(gradients, model.trainable_variables))",
    "optim.SGD": "keras.optimizers.SGD",
    "lr=lr; the default": "learning_rate=lr; the default",
}
