-- customers.fullname becomes customers.display_name, first step (expand): the new column beside the old one.
ALTER TABLE customers ADD COLUMN display_name text;
