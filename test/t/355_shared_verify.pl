# Rows of a shared table that other members wrote: verification names what was
# changed in them, in a full run and in one that reads what is new.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(3, ordered => 1);
my @members = (1 .. 3);
my $id = '00112233-4455-6677-8899-aabbccddeeff';

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	# a rule that a session of a superuser can get around
	$wires->sql($member, q{CREATE FUNCTION price_is_fair(numeric) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$SELECT $1 > 0 OR coalesce(current_setting('test.lenient', true), '') = 'on'$$});
	$wires->sql($member, 'CREATE TABLE offer (id bigint NOT NULL, price numeric(10,2) CONSTRAINT offer_price_check CHECK (price_is_fair(price)), note text) USING ledger');
	$wires->sql($member, "SELECT ledger_internal.share_table('offer', '$id')");
	$wires->sql($member, 'ALTER TABLE offer ALTER note SET STORAGE EXTERNAL');
}

# More rows than a tile has, one that all reject, beside a private one; some of another.
$wires->sql(2, q{SET test.lenient = 'on'; BEGIN; INSERT INTO cdr VALUES (1);
	INSERT INTO offer SELECT n, CASE n WHEN 200 THEN -1 ELSE n END, 'of 2' FROM generate_series(1, 600) AS n; COMMIT});
my ($bad) = $wires->sql(2, 'SELECT ledger_ref FROM offer WHERE id = 200');
my $last;

foreach my $member (@members)
{
	$last = $wires->sql($member, "INSERT INTO offer VALUES (1000 + $member, 1.50, repeat('of $member', 1000)) RETURNING ledger_ref");
	$wires->sql($_, "SELECT ledger.wait_final('$last', '170 s')") foreach (@members);
}
ok($wires->poll(1, "SELECT coalesce(max(height), 0) >= (SELECT max(ledger.height(ledger_ref)) FROM offer) FROM ledger_internal.checkpoint"), 'a quorum has signed what was rejected');
foreach my $member (@members)
{
	is($wires->sql($member, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $member finds nothing wrong");
	is($wires->sql($member, q{SELECT verdict, rows >= 604 FROM ledger.verification ORDER BY id DESC LIMIT 1}), 'clean|t', 'and has read the rows of all');
	is($wires->sql($member, q{SELECT * FROM ledger.verify('offer', 'full')}), '', 'nor in the one table');
	is($wires->sql($member, q{SELECT * FROM ledger.verify()}), '', 'nor in what is new');
}
my ($ref, $height) = split /\|/, $wires->sql(1, 'SELECT ledger_ref, ledger.height(ledger_ref) FROM offer WHERE id = 7');

my $large = $wires->sql(1, 'SELECT ledger_ref FROM offer WHERE id = 1003');

# As if it were no ledger table, as a superuser can have it.
sub as_heap
{
	return "UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'heap') WHERE oid = 'offer'::regclass; $_[0];"
	  . " UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'ledger') WHERE oid = 'offer'::regclass";
}

# What member 1 says of a change, in a transaction that is rolled back.
sub finds
{
	my ($change, $expected, $name, $mode) = @_;
	my $call = "SELECT kind, ref, height, detail FROM ledger.verify('offer', '" . ($mode // 'full') . "') WHERE kind <> 'state_changed'";

	return like($wires->sql(1, "SET allow_system_table_mods = on; SET test.lenient = 'on'; BEGIN; $change; $call; ROLLBACK"), qr/^$expected$/, $name);
}

my $of_ref = "WHERE '$ref' BETWEEN first_ref AND last_ref";
my $in_section = "WHERE (member, incarnation, batch, section) = (SELECT 2, incarnation, batch, section FROM ledger_internal.foreign_rows $of_ref)";

finds(as_heap("UPDATE offer SET price = 8 WHERE id = 7"), "row_changed\\|\Q$ref\E\\|$height\\|The bytes of the row do not have the hash that its author has batched\\.", 'a row that was changed');
finds(as_heap("DELETE FROM offer WHERE id = 7"), "row_missing\\|\Q$ref\E\\|$height\\|The row was batched by its author, and is not in the table\\.", 'a row that is missing');
finds(as_heap("DELETE FROM offer WHERE id IN (7, 8)"), "row_missing\\|.*\nrow_missing\\|.*", 'and each of two');
finds(as_heap("INSERT INTO offer VALUES (1, 1, 'x', '2.0.5.1')"), 'row_added\|2\.0\.5\.1\|\|No batch of its member that a block has holds the row\.', 'a row that was added');
finds(as_heap("INSERT INTO offer VALUES (1, 1, 'x', '9.0.5.1')"), 'row_added\|9\.0\.5\.1\|\|No batch of its member that a block has holds the row\.', 'one of nobody');
finds(as_heap("INSERT INTO offer VALUES (200, -1, 'of 2', '$bad')"), "row_added\\|\Q$bad\E\\|\\d+\\|All members have rejected the row.*", 'a row that all have rejected');
finds(as_heap("INSERT INTO offer VALUES (1, 1, 'x', '2.0.5.1')") . "; INSERT INTO ledger_internal.foreign_rows SELECT '2.0.5.1', '2.0.5.1', height, incarnation, batch, section FROM ledger_internal.foreign_rows $of_ref",
	"row_added\\|2\\.0\\.5\\.1\\|$height\\|ledger_internal.foreign_rows has the row, but no section of its member's batches does\\.", 'one that is said to be in a section');
finds("DELETE FROM ledger_internal.foreign_rows $of_ref", "(?:batch_changed\\|2\\.[0-9.]+\\|$height\\|ledger_internal.foreign_rows does not lead to the row's batch.*\n?)+", 'rows that ledger.height() does not find any more');
finds("UPDATE ledger_internal.foreign_section SET manifest = substring(manifest FOR 20) $in_section", "batch_changed\\|\\|$height\\|The manifest of section \\d+ of batch \\d+ of member 2 cannot be read.*", 'a manifest that was cut');
finds("UPDATE ledger_internal.foreign_section SET nodes = set_byte(nodes, 3, get_byte(nodes, 3) # 1) $in_section", "batch_changed\\|\\|$height\\|Column nodes .*", 'nodes that were changed');
finds("UPDATE ledger_internal.foreign_section SET row_key = sha256(row_key) $in_section", "(?:row_changed\\|2\\.[0-9.]+\\|$height\\|.*\n?)+", 'a blinding key');
finds("UPDATE ledger_internal.foreign_section SET root = sha256(root) $in_section", "batch_changed\\|\\|$height\\|The columns of a section in ledger_internal.foreign_section do not give its leaf: .*\nrow_changed\\|\\|$height\\|.*", 'a root');
finds("DELETE FROM ledger_internal.foreign_section $in_section", "batch_changed\\|\\|$height\\|(?s:.*)", 'a section that is gone');
finds("DELETE FROM ledger_internal.refused_row", "row_missing\\|\Q$bad\E\\|\\d+\\|.*", 'a rejected row that is not listed any more');
finds("UPDATE ledger_internal.refused_row SET bytes = set_byte(bytes, 60, get_byte(bytes, 60) # 1)", "rejection_changed\\|\Q$bad\E\\|\\d+\\|The bytes listed.*", 'or whose bytes were changed');
finds("DELETE FROM ledger_internal.outcome", "rejection_changed\\|\Q$bad\E\\|\\d+\\|The row is listed as rejected, but no outcome of the block says so\\.", 'or that no outcome names');
finds(as_heap("DELETE FROM offer WHERE id = 7") . "; INSERT INTO ledger_internal.refused_row SELECT '$ref', '$id', height, batch, '23514', 'x', ''::bytea FROM ledger_internal.foreign_rows $of_ref",
	"rejection_changed\\|\Q$ref\E\\|$height\\|.*", 'a row that was removed and is said to be rejected');
is($wires->sql(1, "BEGIN; DELETE FROM ledger_internal.outcome; SELECT kind, detail FROM ledger.verify(mode => 'full') WHERE kind = 'state_changed'; ROLLBACK") =~ /What ledger_internal\.outcome has of the blocks up to this checkpoint is not what a quorum has signed/ ? 1 : 0, 1, 'outcomes are compared with what a quorum has signed');

# Only what is new: the change of an old row is not seen, that of a new one is.
{
	$wires->sql(1, q{SELECT * FROM ledger.verify()});
	my $new = $wires->sql(2, "INSERT INTO offer VALUES (5000, 5, 'new') RETURNING ledger_ref");

	$wires->sql(1, "SELECT ledger.wait_final('$new', '170 s')");
	finds(as_heap("UPDATE offer SET price = 8 WHERE id = 7"), '', 'an incremental run does not read old rows', 'incremental');
	finds(as_heap("UPDATE offer SET price = 8 WHERE id = 5000"), "row_changed\\|\Q$new\E\\|\\d+\\|.*", 'but new ones', 'incremental');
	finds(as_heap("DELETE FROM offer WHERE id = 5000"), "row_missing\\|\Q$new\E\\|\\d+\\|.*", 'and what is missing of them', 'incremental');
	finds(as_heap("INSERT INTO offer VALUES (1, 1, 'x', '2.0.5.1')"), 'row_added\|2\.0\.5\.1\|.*', 'and what is in no section', 'incremental');
	finds("DELETE FROM ledger_internal.foreign_rows $of_ref", "(?:batch_changed\\|2\\.[0-9.]+\\|$height\\|ledger_internal.foreign_rows does not lead to the row's batch.*\n?)+", 'and tells that from one that only foreign_rows lacks', 'incremental');
}

# A run while a block is final here and not applied: its rows belong to the next run.
{
	my $worker = $wires->node(1)->worker_pid;

	kill 'STOP', $worker;
	my $late = $wires->sql(2, "INSERT INTO offer VALUES (6000, 6, 'late') RETURNING ledger_ref");

	ok($wires->poll(1, 'SELECT max(height) > (SELECT height FROM ledger_internal.applied) FROM ledger_internal.foreign_batch'), 'a block waits to be applied');
	is($wires->sql(1, q{SELECT kind, detail FROM ledger.verify()}), '', 'verification finds nothing wrong meanwhile');
	is($wires->sql(1, 'SELECT to_height = (SELECT height FROM ledger_internal.applied) FROM ledger.verification ORDER BY id DESC LIMIT 1'), 't', 'and says how far it has seen all rows');
	kill 'CONT', $worker;
	ok($wires->poll(1, "SELECT EXISTS (SELECT FROM offer WHERE ledger_ref = '$late')"), 'the block is applied');
	finds(as_heap("UPDATE offer SET price = 8 WHERE id = 6000"), "row_changed\\|\Q$late\E\\|\\d+\\|.*", 'the next run reads its rows', 'incremental');
}

# The scrub, in steps, reads them too.
$wires->sql(1, 'CALL ledger.verify_in_steps()');
is($wires->sql(1, 'SELECT kind, detail FROM ledger.verification_problem'), '', 'verification in steps finds nothing wrong');
$wires->sql(1, "SET allow_system_table_mods = on; BEGIN; " . as_heap("UPDATE offer SET price = 8 WHERE id = 7") . '; COMMIT');
$wires->sql(1, 'CALL ledger.verify_in_steps()');
is($wires->sql(1, q{SELECT kind, ref, height FROM ledger.verification_problem WHERE kind = 'row_changed'}), "row_changed|$ref|$height", 'and then the changed row');

# A value that cannot be read any more does not hide the other rows.
SKIP:
{
	skip 'pg_surgery is not installed', 1 if $wires->sql(1, "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_surgery'") eq '0';
	my $toast = $wires->sql(1, "SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'offer'::regclass");

	my $places = $wires->sql(1, "SELECT array_agg(ctid) FROM $toast WHERE chunk_id = (SELECT max(chunk_id) FROM $toast)");

	$wires->sql(1, "CREATE EXTENSION pg_surgery; SELECT heap_force_kill('$toast'::regclass, '$places')");
	like($wires->sql(1, "SELECT kind, ref, height, detail FROM ledger.verify('offer', 'full') WHERE kind <> 'state_changed'"),
		qr/^row_changed\|\Q$ref\E\|$height\|.*\nrow_changed\|\Q$large\E\|\d+\|The row cannot be read: .*$/, 'a value that is gone, beside the row that was changed');
}

done_testing();
