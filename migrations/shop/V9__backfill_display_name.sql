-- Third step (backfill): the customers of before. Running it again changes nothing.
UPDATE customers SET display_name = fullname WHERE display_name IS NULL;
