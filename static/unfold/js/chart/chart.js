// Instead of Chart.js, which Unfold loads on every admin page (68 kB compressed): Parley's admin draws no charts.
