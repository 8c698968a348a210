"""The verbs: observe and deliver, through the ports declared here."""
