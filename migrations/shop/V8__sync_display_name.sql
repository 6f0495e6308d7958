-- Second step: from now on both columns say the same, whichever of them a release of the shop writes.
CREATE FUNCTION sync_display_name() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.display_name := coalesce(NEW.display_name, NEW.fullname);
        NEW.fullname := coalesce(NEW.fullname, NEW.display_name);
    ELSIF NEW.display_name IS DISTINCT FROM OLD.display_name THEN
        NEW.fullname := NEW.display_name;
    ELSE
        NEW.display_name := NEW.fullname;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER customers_display_name
BEFORE INSERT OR UPDATE ON customers
FOR EACH ROW EXECUTE FUNCTION sync_display_name();
