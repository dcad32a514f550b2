"""What students import: the checks, the data, the plots. Ships with every release; holds no solution."""
