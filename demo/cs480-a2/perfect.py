# Everything right, in another style than the reference solution.
# base: release
# loses:

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
