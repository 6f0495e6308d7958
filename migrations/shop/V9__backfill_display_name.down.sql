-- Nothing has to be taken back: until the last step both columns say the same, and `fullname` is the one that counts.
SELECT 1;
