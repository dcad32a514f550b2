# Everything right, in another style than the reference solution.
# base: release
# loses:

# %% q1_1-hessian
H = torch.diag(torch.tensor([10.0, 1.0]))
convex, strongly_convex = True, True
L, m = 10, 1

# %% q1_1-step-sizes
t_convex = "1/10"
t_strongly = "2/11"

# %% q1_1-counts
k_convex = 1000
k_strongly = 66

# %% [markdown] q1_1-why
# The Hessian is diag(10, 1) everywhere. Both eigenvalues are positive, so f is convex, and strongly convex with
# m = 1; L = 10. Convex bound: 2 / (2 · 0.1 · k) = 10 / k ≤ 0.01 means k ≥ 1000. Strongly convex bound:
# 10 · 0.9^k ≤ 0.01 means k ≥ ln 1000 / ln(1/0.9) = 65.6, so 66.

# %% q1_2-size-table
layer_sizes = {
    1: (24, 24, 16), 2: (24, 24, 16), 3: (12, 12, 16),
    4: (10, 10, 32), 5: (10, 10, 32), 6: (5, 5, 32), 7: (800,), 8: (10,),
}

# %% q1_2-count-table
layer_parameters = ["5*5*1*16 + 16", 32, 0, "3*3*16*32 + 32", 64, 0, 0, "800*10 + 10"]
total_parameters = 13162

# %% q1_2-net
net_1_2 = nn.Sequential(
    nn.Conv2d(1, 16, 5), nn.BatchNorm2d(16), nn.MaxPool2d(2, 2),
    nn.Conv2d(16, 32, 3), nn.BatchNorm2d(32), nn.MaxPool2d(2, 2),
    nn.Flatten(), nn.Dropout(p=0.2), nn.Linear(800, 10),
)

# %% q1_2-dense
fully_connected = 203530
times_as_many = 15.5

# %% [markdown] q1_2-conclusion
# The CNN has about a fifteenth of the parameters: a filter is used at every position of the picture and looks at a
# small neighbourhood only, so its weights are shared instead of learnt anew for every pixel.

# %% q1_3-count
d, d_ff = 256, 1024
encoder_parameters = dict.fromkeys(["W_Q", "W_K", "W_V", "W_O"], d * d)
encoder_parameters |= {"W_1": d * d_ff, "b_1": d_ff, "W_2": d_ff * d, "b_2": d, "norm_1": 2 * d, "norm_2": 2 * d}
encoder_total = sum(encoder_parameters.values())

# %% [markdown] q1_3-variance
# Each product q_i k_i has mean 0 and variance E[q_i²] E[k_i²] = 1, since q_i and k_i are independent with mean 0 and
# variance 1. The d_k products are independent, so their variances add up: Var(qᵀk) = d_k.

# %% q1_3-functions
def scores(q, k, scaled):
    s = torch.einsum("id,jd->ij", q, k)
    return s / math.sqrt(q.shape[-1]) if scaled else s


def attention_weights(s):
    e = torch.exp(s - s.max(dim=-1, keepdim=True).values)
    return e / e.sum(dim=-1, keepdim=True)


def entropy(p):
    return -(p * torch.log(p.clamp(min=1e-300))).sum(-1)

# %% [markdown] q1_3-softmax
# Scores of size √d_k make the largest one dominate: softmax comes out nearly one-hot. Its derivatives p_i(δ_ij − p_j)
# are then nearly 0, so almost no gradient reaches W_Q and W_K.

# %% [markdown] q1_3-scaling
# Var(cX) = c² Var(X), so Var(qᵀk/√d_k) = d_k / d_k = 1.

# %% q2_1-answers
theta_warmup = np.array([0, 0.5, 0.25, 0.75])
p_warmup = np.exp(theta_warmup) / np.exp(theta_warmup).sum()
J_warmup = -np.log(p_warmup[2])
dtheta_warmup = p_warmup - np.array([0, 0, 1, 0])

# %% [markdown] q2_1-why
# ∂J/∂θ_i = −1[i = y] + e^{θ_i} / Σ_j e^{θ_j} = p̂_i − 1[i = y].

# %% q2_2a-answers
z = [0.5, -0.05, 0.5]
h = [0.5, 0, 0.5]
theta = [0, 0]
p_hat = ["1/2", "1/2"]
J = "ln 2"
dead = 1

# %% [markdown] q2_2a-why
# Neuron 1 is dead: z_1 = −0.05 is negative, so ReLU puts out 0 for this input.

# %% q2_2b-answers
dtheta = [-0.5, 0.5]

# %% q2_2c-answers
dU = [["-1/4", 0, "-1/4"], ["1/4", 0, "1/4"]]
db2 = [-0.5, 0.5]

# %% q2_2d-answers
dh = [-0.25, 0, 0.25]
dz = [-0.25, 0, 0.25]

# %% q2_2e-answers
dW = np.outer(dz, [1, 0.5])
db1 = dz

# %% q2_2f-answers
W_new = [[0.225, 0.4125], [-0.3, 0.1], [0.475, -0.2125]]
U_new = [[0.225, 0, -0.175], [-0.325, 0, 0.275]]

# %% q2_2-backward
def backward(x, y, W, b1, U, b2):
    x, W, b1, U, b2 = (np.asarray(a, dtype=float) for a in (x, W, b1, U, b2))
    z = W @ x + b1
    h = np.maximum(z, 0)
    theta = U @ h + b2
    p = np.exp(theta - theta.max())
    p /= p.sum()
    dtheta = p - np.eye(len(p))[y]
    dh = U.T @ dtheta
    dz = np.where(z > 0, dh, 0)
    return {
        "dtheta": dtheta, "dU": np.outer(dtheta, h), "db2": dtheta,
        "dh": dh, "dz": dz, "dW": np.outer(dz, x), "db1": dz,
    }

# %% [markdown] q2_2-derivation
# (b) ∂J/∂θ = p̂ − e_y, 2 × 1. (c) θ = Uh + b₂, so ∂J/∂U = (∂J/∂θ) hᵀ, 2 × 3, and ∂J/∂b₂ = ∂J/∂θ, 2 × 1.
# (d) ∂J/∂h = Uᵀ ∂J/∂θ, 3 × 1; ∂J/∂z keeps it where z > 0: neuron 1 is dead, so its entry is 0 (and U's column 1 is
# zero anyway). (e) ∂J/∂W = (∂J/∂z) xᵀ, 3 × 2, and ∂J/∂b₁ = ∂J/∂z, 3 × 1.

# %% q3_1-mlp
class MLP(nn.Module):
    def __init__(self, input_dim=784, hidden1=256, hidden2=128, output_dim=10, dropout_p=0.2):
        super(MLP, self).__init__()
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(input_dim, hidden1)
        self.bn1 = nn.BatchNorm1d(hidden1)
        self.fc2 = nn.Linear(hidden1, hidden2)
        self.bn2 = nn.BatchNorm1d(hidden2)
        self.fc3 = nn.Linear(hidden2, output_dim)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(p=dropout_p)

    def forward(self, x):
        x = self.flatten(x)
        x = self.dropout(self.relu(self.bn1(self.fc1(x))))
        x = self.dropout(self.relu(self.bn2(self.fc2(x))))
        return self.fc3(x)


# %% q3_1-train
def compute_accuracy(model, loader, device):
    model.eval()
    correct, total = 0, 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            correct += (model(images).argmax(1) == labels).sum().item()
            total += labels.size(0)
    return correct / total


def train(model, train_loader, test_loader, epochs=10, lr=0.05, device="cpu"):
    model.to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history = {"loss": [], "train": [], "test": []}
    for epoch in range(epochs):
        model.train()
        running, seen = 0.0, 0
        for images, labels in train_loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            outputs = model(images)
            batch_loss = criterion(outputs, labels)
            batch_loss.backward()
            optimizer.step()
            running += batch_loss.item() * labels.size(0)
            seen += labels.size(0)
        history["loss"].append(running / seen)
        history["train"].append(compute_accuracy(model, train_loader, device))
        history["test"].append(compute_accuracy(model, test_loader, device))
        print(f"Epoch {epoch + 1:2d} Train: {history['train'][-1]:.4f} Test: {history['test'][-1]:.4f}")
    return history


# %% q3_2-cnn
class CNN(nn.Module):
    def __init__(self, num_classes=10):
        super(CNN, self).__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=5)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3)
        self.bn2 = nn.BatchNorm2d(32)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2, 2)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(32 * 5 * 5, num_classes)

    def forward(self, x):
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        x = self.pool(self.relu(self.bn2(self.conv2(x))))
        return self.fc(self.dropout(self.flatten(x)))


# %% q3_3-table
accuracy = {
    "MLP": {"train": compute_accuracy(mlp, train_loader, device), "test": compute_accuracy(mlp, test_loader, device)},
    "CNN": {"train": compute_accuracy(cnn, train_loader, device), "test": compute_accuracy(cnn, test_loader, device)},
}

# %% [markdown] q3_3-why
# The CNN has the higher test accuracy. Its filters are shared across the picture and look at neighbouring
# pixels together, so it needs far fewer weights and does not care where exactly a sleeve is.
