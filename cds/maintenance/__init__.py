"""What an operator does with what is kept: retention, one patient's data, deliveries that were given up."""
