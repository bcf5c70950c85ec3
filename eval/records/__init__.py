"""What eval stores: questions, answers, judgments, and the folder that holds them."""
