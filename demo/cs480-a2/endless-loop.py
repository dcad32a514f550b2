# The MLP's forward pass never returns, so that there is nothing to fill in the table with; the CNN is fine.
# base: perfect
# without: q3_3-table
# loses: q3_1-network q3_1-accuracy q3_3-table-check

# %% q3_1-mlp
class MLP(nn.Module):
    def __init__(self, input_dim=784, hidden1=256, hidden2=128, output_dim=10, dropout_p=0.2):
        super().__init__()
        self.layer = nn.Linear(input_dim, output_dim)

    def forward(self, x):
        x = x.flatten(1)
        while x.size(1) > 10:
            x = x.clone()
        return self.layer(x)
