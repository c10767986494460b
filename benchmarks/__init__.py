"""Each prints one table: ours beside a peer or a limit, as ratios of runs made in turn."""
