"""What is shown, made from records alone: figures, findings, tables, page and paper."""
