# The MLP ends in a softmax, and the loss takes the softmax of that.
# The CNN is missing.
# base: perfect
# without: q3_2-cnn
# loses: q3_1-network q3_2-network q3_2-accuracy q3_3-table-check

# %% q3_1-mlp
class MLP(nn.Module):
    def __init__(self, input_dim=784, hidden1=256, hidden2=128, output_dim=10, dropout_p=0.2):
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(),
            nn.Linear(input_dim, hidden1), nn.BatchNorm1d(hidden1), nn.ReLU(), nn.Dropout(dropout_p),
            nn.Linear(hidden1, hidden2), nn.BatchNorm1d(hidden2), nn.ReLU(), nn.Dropout(dropout_p),
            nn.Linear(hidden2, output_dim), nn.Softmax(dim=1),
        )

    def forward(self, x):
        return self.net(x)
