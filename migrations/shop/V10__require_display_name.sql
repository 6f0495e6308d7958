-- Fourth step: the new column is complete. The check is validated first, without keeping anybody from writing, so
-- that NOT NULL needs no scan under its lock.
ALTER TABLE customers ADD CONSTRAINT customers_display_name_given CHECK (display_name IS NOT NULL) NOT VALID;

ALTER TABLE customers VALIDATE CONSTRAINT customers_display_name_given;

ALTER TABLE customers ALTER COLUMN display_name SET NOT NULL;

ALTER TABLE customers DROP CONSTRAINT customers_display_name_given;
