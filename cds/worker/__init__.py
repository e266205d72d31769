"""What happens after the response: the outbox and its deliveries."""
