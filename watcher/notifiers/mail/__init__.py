"""The e-mail notifier: `plugin` is the settings and the sending, `letter` what is written, `smtp` how it is sent."""
