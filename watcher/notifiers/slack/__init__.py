"""The Slack notifier: `webhook` posts messages, `bot` keeps one for each job; `blocks` is what they look like."""
