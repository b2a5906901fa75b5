# Each kind of tampering that a superuser can do, on files or in catalogs, is
# found and named, and nothing else is named with it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;

# A page as the server writes it on a little-endian machine.
use constant { PAGE_SIZE => 8192, PAGE_HEADER => 24, LINE_POINTER => 4 };

# Checksums, which PostgreSQL 18 has on by default, would tell of the damage to
# files before verification can.
my $node = LedgerCluster->new_node('tamper',
	conf => "autovacuum = off\nignore_checksum_failure = on");
my $dead = 0x01;    # in the third byte of a line pointer: LP_NORMAL to LP_DEAD

$node->safe_psql('postgres', 'CREATE EXTENSION pageinspect');
$node->safe_psql('postgres', <<'END');
CREATE TABLE cdr (id integer, msisdn text, charge numeric(10,2)) USING ledger;
INSERT INTO cdr SELECT i, '+3360000000' || i, i * 1.5 FROM generate_series(1, 9) AS i;
END
$node->wait_final_all;
$node->safe_psql('postgres',
	"INSERT INTO cdr SELECT i, 'written-on-disk-' || i, i FROM generate_series(11, 700) AS i");
$node->wait_final_all;
$node->safe_psql('postgres', "INSERT INTO cdr SELECT 1001, string_agg(md5(i::text), ''), NULL FROM generate_series(1, 300) AS i");
$node->wait_final_all;

# One block each: the nine rows, the many, the last.
my ($few, $many, $last) = map { height("id = $_") } (3, 20, 1001);
my $ref_3 = $node->safe_psql('postgres', 'SELECT ledger_ref FROM cdr WHERE id = 3');
my $ref_4 = $node->safe_psql('postgres', 'SELECT ledger_ref FROM cdr WHERE id = 4');
my $ref_20 = $node->safe_psql('postgres', 'SELECT ledger_ref FROM cdr WHERE id = 20');
my $ref_1001 = $node->safe_psql('postgres', 'SELECT ledger_ref FROM cdr WHERE id = 1001');
my $tree_head = $node->safe_psql('postgres', 'SELECT ledger.tree_head()');

is(verify(), '', 'nothing was tampered with');

sub height
{
	my ($where) = @_;

	return $node->safe_psql('postgres', "SELECT ledger.height(ledger_ref) FROM cdr WHERE $where");
}

# What verification finds: kind, relation, ref, height of each problem.
sub verify
{
	my ($against) = @_;
	my $argument = defined $against ? ", against => to_jsonb('$against'::text)" : '';

	return $node->safe_psql('postgres',
		"SELECT kind, relation, ref, height FROM ledger.verify(mode => 'full'$argument) ORDER BY kind, ref");
}

sub superuser_sql
{
	my ($sql) = @_;

	$node->safe_psql('postgres', "SET allow_system_table_mods = on; BEGIN; $sql; COMMIT");
	return;
}

# Rows changed as if the table were an ordinary one.
sub as_heap
{
	my ($sql) = @_;
	my $relam = 'UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname =';

	return "$relam 'heap') WHERE oid = 'cdr'::regclass; $sql; $relam 'ledger') WHERE oid = 'cdr'::regclass";
}

# Tamper, see what is found, undo it, see nothing.
sub tampered
{
	my ($name, $tamper, $undo, $expected, $against) = @_;

	superuser_sql($tamper);
	is(verify($against), $expected, $name);
	superuser_sql($undo);
	is(verify($against), '', "$name: undone");
	return;
}

# The same on a file of the stopped server: bytes at an offset are replaced.
sub tampered_file
{
	my ($name, $relation, $offset, $old, $new, $expected, $repair) = @_;
	my $path = $node->data_dir . '/'
	  . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$relation')");

	for ([ $old, $new, $expected, $name ], [ $new, $old, '', "$name: undone" ])
	{
		my ($from, $to, $found, $title) = @$_;

		$node->safe_psql('postgres', 'CHECKPOINT');
		$node->stop;
		patch($path, $offset, $from, $to);
		$node->start;
		$node->safe_psql('postgres', $repair) if $repair && $found eq '';
		is(verify(), $found, $title);
	}
	return;
}

# $offset is a number, or undef: wherever the old bytes are.
sub patch
{
	my ($path, $offset, $from, $to) = @_;

	open my $file, '+<:raw', $path or die "$path: $!";
	my $bytes = do { local $/; <$file> };
	$offset = index($bytes, $from) unless defined $offset;
	die "$path: these bytes are not there" if $offset < 0;
	if (ref $from)
	{
		# bits to set or to clear
		my $byte = ord substr($bytes, $offset, 1);
		$to = chr($$to ? $byte | $$to : $byte & ~$$from);
	}
	else
	{
		die "$path: these bytes are not there" if substr($bytes, $offset, length $from) ne $from;
	}
	seek $file, $offset, 0 or die "$path: $!";
	print $file $to or die "$path: $!";
	close $file or die "$path: $!";
	return;
}

# Of a line pointer, the byte that holds the upper bit of its state.
sub line_pointer
{
	my ($page, $item) = @_;

	return $page * PAGE_SIZE + PAGE_HEADER + ($item - 1) * LINE_POINTER + 2;
}

# Rows, by SQL and on disk.
tampered('a changed value',
	as_heap('UPDATE cdr SET charge = 99 WHERE id = 3'),
	as_heap('UPDATE cdr SET charge = 4.5 WHERE id = 3'),
	"row_changed|cdr|$ref_3|$few");
tampered_file('a changed byte of a value', 'cdr', undef, 'written-on-disk-20', 'written-by-hand-20',
	"row_changed|cdr|$ref_20|$many");
tampered('a removed row',
	as_heap('DELETE FROM cdr WHERE id = 3'),
	as_heap("INSERT INTO cdr VALUES (3, '+33600000003', 4.5, '$ref_3')"),
	"row_missing|cdr|$ref_3|$few");
my ($page, $item) = $node->safe_psql('postgres', 'SELECT ctid FROM cdr WHERE id = 20') =~ /(\d+),(\d+)/;
tampered_file('a row removed on disk', 'cdr', line_pointer($page, $item), \0, \$dead,
	"row_missing|cdr|$ref_20|$many");
my $new_ref = $ref_3 =~ s/\d+$/999/r;
tampered('an added row',
	as_heap("INSERT INTO cdr VALUES (7, 'x', 1, '$new_ref')"),
	as_heap("DELETE FROM cdr WHERE ledger_ref = '$new_ref'"),
	"row_added|cdr|$new_ref|");
my $swap = as_heap('UPDATE cdr AS c SET (id, msisdn, charge) = (SELECT id, msisdn, charge FROM cdr AS d WHERE d.id = 7 - c.id) WHERE id IN (3, 4)');
tampered('two rows swapped', $swap, $swap,
	"order_changed|cdr|$ref_3|$few\norder_changed|cdr|$ref_4|$few");

my $values = "(7, 'x', 1, '$ref_3')";
tampered('a second row with the same ref',
	as_heap("UPDATE pg_index SET indisready = false WHERE indrelid = 'cdr'::regclass; INSERT INTO cdr VALUES $values; UPDATE pg_index SET indisready = true WHERE indrelid = 'cdr'::regclass"),
	as_heap("DELETE FROM cdr WHERE msisdn = 'x'"),
	"index_mismatch|cdr|$ref_3|$few\nrow_added|cdr|$ref_3|$few");
my $toast = $node->safe_psql('postgres', "SELECT reltoastrelid::regclass FROM pg_class WHERE relname = 'cdr'");
($page, $item) = $node->safe_psql('postgres', "SELECT ctid FROM $toast ORDER BY chunk_seq DESC LIMIT 1") =~ /(\d+),(\d+)/;
tampered_file('a piece of a large value', $toast, line_pointer($page, $item), \0, \$dead,
	"row_changed|cdr|$ref_1001|$last",
	"REINDEX TABLE $toast");    # a reader has marked the entry of the dead piece

my $beyond = 0x80;    # in the byte of a page header that says where rows begin
tampered_file('a page that the server refuses to read', 'cdr', 15, \0, \$beyond, 'row_changed|cdr||');

# Definitions.
my $rename = "UPDATE pg_attribute SET attname = '%s' WHERE attrelid = 'cdr'::regclass AND attnum = %d; ";
tampered('two columns\' names swapped',
	sprintf($rename x 3, 'tmp', 2, 'msisdn', 1, 'id', 2),
	sprintf($rename x 3, 'tmp', 2, 'id', 1, 'msisdn', 2),
	'definition_changed|cdr||');
tampered('a column\'s type',
	"UPDATE pg_attribute SET atttypid = 'date'::regtype WHERE attrelid = 'cdr'::regclass AND attname = 'id'",
	"UPDATE pg_attribute SET atttypid = 'integer'::regtype WHERE attrelid = 'cdr'::regclass AND attname = 'id'",
	'definition_changed|cdr||');
my $definition = $node->safe_psql('postgres',
	"SELECT column_names FROM ledger.table_version WHERE table_name = 'cdr'");
my $version_ref = $node->safe_psql('postgres',
	"SELECT ledger_ref FROM ledger.table_version WHERE table_name = 'cdr'");
my $definition_height = $node->safe_psql('postgres',
	"SELECT ledger.height(ledger_ref) FROM ledger.table_version WHERE table_name = 'cdr'");
my $change = as_heap("UPDATE ledger.table_version SET column_names = '%s' WHERE table_name = 'cdr'")
  =~ s/'cdr'::regclass/'ledger.table_version'::regclass/gr;
tampered('the definition on the ledger, and the catalogs with it',
	sprintf($change, '{msisdn,id,charge}') . ';' . sprintf($rename x 3, 'tmp', 2, 'msisdn', 1, 'id', 2),
	sprintf($change, $definition) . ';' . sprintf($rename x 3, 'tmp', 2, 'id', 1, 'msisdn', 2),
	"row_changed|ledger.table_version|$version_ref|$definition_height");

# The stored chain: a bit of each thing, back with the same statement.
sub bit_of
{
	my ($table, $column, $offset, $where) = @_;

	return ("UPDATE ledger_internal.$table SET $column = set_byte($column, $offset, get_byte($column, $offset) # 1) WHERE $where") x 2;
}
tampered('a batch\'s header', bit_of('batch', 'header', 90, "batch = $many"), "batch_changed|||$many");
tampered('a batch\'s digest', bit_of('batch', 'digest', 5, "batch = $many"), "batch_changed|||$many");
tampered('a section\'s root', bit_of('section', 'root', 5, "batch = $many"), "batch_changed|||$many");
tampered('a section\'s commitment', bit_of('section', 'commitment', 5, "batch = $many"), "batch_changed|||$many");
tampered('a section\'s blinding key', bit_of('section', 'row_key', 5, "batch = $many"), "batch_changed|cdr||$many");
tampered('a section\'s nodes', bit_of('section', 'nodes', 5, "batch = $many"), "batch_changed|cdr||$many");
tampered('a fingerprint in a manifest', bit_of('section', 'manifest', 'octet_length(manifest) - 1', "batch = $many"),
	'batch_changed|cdr|' . $node->safe_psql('postgres', 'SELECT ledger_ref FROM cdr WHERE id = 700') . "|$many");
tampered('a batch\'s height', "UPDATE ledger_internal.batch SET height = $few WHERE batch = $many",
	"UPDATE ledger_internal.batch SET height = $many WHERE batch = $many", "batch_changed|||$few");
tampered('a removed batch',
	"CREATE TABLE kept AS SELECT * FROM ledger_internal.batch WHERE batch = $many; DELETE FROM ledger_internal.batch WHERE batch = $many",
	"INSERT INTO ledger_internal.batch SELECT * FROM kept; DROP TABLE kept", "batch_changed|||$many");
tampered('a block\'s header', bit_of('block', 'header', 112, "height = $many"), "block_changed|||$many");
tampered('a block\'s hash', bit_of('block', 'hash', 5, "height = $many"), "block_changed|||$many");
tampered('a block\'s nodes', bit_of('block', 'subtree_roots', 5, "height = $many"), "block_changed|||$many");
tampered('a block\'s time', "UPDATE ledger_internal.block SET time = time - interval '1 day' WHERE height = $many",
	"UPDATE ledger_internal.block SET time = time + interval '1 day' WHERE height = $many", "block_changed|||$many");
tampered('a removed block',
	"CREATE TABLE kept AS SELECT * FROM ledger_internal.block WHERE height = $many; DELETE FROM ledger_internal.block WHERE height = $many",
	"INSERT INTO ledger_internal.block SELECT * FROM kept; DROP TABLE kept", "block_changed|||$many");
tampered('a certificate\'s signature', bit_of('own_log', 'message', 'octet_length(message) - 1', "height = $many AND kind = 5"),
	"bad_certificate|||$many");
tampered('what a certificate signs', bit_of('own_log', 'message', 85, "height = $many AND kind = 5"),
	"bad_certificate|||$many");
tampered('a removed certificate',
	"CREATE TABLE kept AS SELECT * FROM ledger_internal.own_log WHERE height = $many AND kind = 5; DELETE FROM ledger_internal.own_log WHERE height = $many AND kind = 5",
	"INSERT INTO ledger_internal.own_log SELECT * FROM kept; DROP TABLE kept", "bad_certificate|||$many");
tampered('a batch\'s signature', bit_of('own_log', 'message', 'octet_length(message) - 1', "height = $many AND kind = 1"),
	"bad_signature|||$many");
tampered('the name of the node', "UPDATE ledger_internal.node SET name = 'other'",
	"UPDATE ledger_internal.node SET name = 'tamper'", 'block_changed|||0');
my $snapshot = $node->safe_psql('postgres', 'SELECT value FROM ledger_internal.snapshot WHERE snapshot = 2');
tampered('a snapshot', "UPDATE ledger_internal.snapshot SET value = '3:4:' WHERE snapshot = 2",
	"UPDATE ledger_internal.snapshot SET value = '$snapshot' WHERE snapshot = 2", 'snapshot_changed|||');

# The end of the chain, cut off so that nothing that is left speaks of it: only
# who has kept something sees that.
my $cut = join '; ', map
{
	my ($table, $where, $schema) = @$_;

	$schema //= 'ledger_internal';
	"CREATE TABLE kept_$table AS SELECT * FROM $schema.$table WHERE $where; DELETE FROM $schema.$table WHERE $where";
} (
	[ 'block', "height = $last" ], [ 'batch', "height = $last" ], [ 'section', "batch = $last" ],
	[ 'own_log', "height = $last" ], [ 'own_vote', "view = $last" ], [ 'snapshot', 'snapshot = (SELECT max(snapshot) FROM ledger_internal.snapshot)' ],
	[ 'verification', 'true', 'ledger' ]);
my $paste = join '; ', map { "INSERT INTO ledger_internal.$_ SELECT * FROM kept_$_; DROP TABLE kept_$_" }
  qw(block batch section own_log own_vote snapshot);
my $cut_row = as_heap('DELETE FROM cdr WHERE id = 1001');
superuser_sql("$cut; $cut_row");
is(verify(), '', 'a cut tail fits together');
$node->safe_psql('postgres', 'DELETE FROM ledger.verification');
is(verify($tree_head), "tail_cut|||$last", 'a cut tail, against a tree head');
superuser_sql("$paste; DROP TABLE kept_verification; " . as_heap("INSERT INTO cdr SELECT 1001, string_agg(md5(i::text), ''), NULL, '$ref_1001' FROM generate_series(1, 300) AS i"));
is(verify($tree_head), '', 'a cut tail, pasted again');
superuser_sql($cut =~ s/;[^;]*verification[^;]*;[^;]*verification[^;]*$//r);
like(verify(), qr/^tail_cut\|\|\|$last$/m, 'a cut tail, against earlier runs of verification');
superuser_sql($paste);

# History written anew: the tree head does not fit, whatever is signed.
my $other = $tree_head =~ s/\A(\S+\n\d+\n)(.)/$1 . ($2 eq 'A' ? 'B' : 'A')/er;
isnt($other, $tree_head, 'a tree head with another root');
is(verify($other), "block_changed|||$last", 'another history than the tree head says');

# What an incremental run sees: what is new, and the block where it starts.
sub incremental
{
	return $node->safe_psql('postgres', 'SELECT kind, relation, ref, height FROM ledger.verify() ORDER BY kind, ref');
}
is(verify(), '', 'before incremental runs');
$node->safe_psql('postgres', "INSERT INTO cdr VALUES (2000, 'new', 1), (2001, 'new', 2)");
$node->wait_final_all;
my $new = height('id = 2000');
my $ref_2000 = $node->safe_psql('postgres', 'SELECT ledger_ref FROM cdr WHERE id = 2000');
superuser_sql(as_heap('UPDATE cdr SET charge = 99 WHERE id IN (3, 2000)'));
is(incremental(), "row_changed|cdr|$ref_2000|$new", 'a changed value in a new block');
superuser_sql(as_heap('UPDATE cdr SET charge = 1 WHERE id = 2000'));
is(incremental(), '', 'a changed value in an old block is for a full run to find');
is(verify(), "row_changed|cdr|$ref_3|$few", 'which finds it');
superuser_sql(as_heap('UPDATE cdr SET charge = 4.5 WHERE id = 3'));
my ($there, $back) = bit_of('block', 'header', 112, "height = $new");
superuser_sql($there);
is(incremental(), "block_changed|||$new", 'the block where the last run ended');
superuser_sql($back);
is(incremental(), '', 'the block where the last run ended: undone');

# An index that hides a row.
($page, $item) = split /\|/, $node->safe_psql('postgres', <<'END');
SELECT page, itemoffset
  FROM generate_series(1, pg_relation_size('cdr_ledger_ref_idx') / 8192 - 1) AS page,
       bt_page_items('cdr_ledger_ref_idx', page),
       bt_page_stats('cdr_ledger_ref_idx', page)
 WHERE type = 'l' AND htid = (SELECT ctid FROM cdr WHERE id = 20)
END
tampered_file('an index that hides a row', 'cdr_ledger_ref_idx', line_pointer($page, $item), \0, \$dead,
	"index_mismatch|cdr|$ref_20|$many");
tampered('an index that is not valid',
	"UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'cdr_ledger_ref_idx'::regclass",
	"UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'cdr_ledger_ref_idx'::regclass",
	'index_mismatch|cdr||');

# A second history, signed with the same key from an old copy: what the first
# one has given away tells.
$node->stop;
$node->backup_fs_cold('before');
$node->start;
my $fork = LedgerCluster->new('fork');
$fork->init_from_backup($node, 'before');
unlink glob($node->basedir . '/keys/*.state');		# or it would notice
$fork->start;
for my $history ($node, $fork)
{
	for my $id (3000, 3001)
	{
		$history->safe_psql('postgres', "INSERT INTO cdr VALUES ($id, '" . $history->name . "', 1)");
		$history->wait_final_all;
	}
}
my $at = height('id = 3001');
my $receipt = $node->safe_psql('postgres', "SELECT ledger.receipt('cdr', ledger_ref) FROM cdr WHERE id = 3000");
$tree_head = $node->safe_psql('postgres', "SELECT jsonb_build_object('tree_head', ledger.tree_head())");
for ([ $receipt, 'receipt' ], [ $tree_head, 'tree head' ])
{
	my ($document, $name) = @$_;
	my $query = "SELECT kind, height FROM ledger.verify(against => \$json\$$document\$json\$)";

	is($node->safe_psql('postgres', $query), '', "the first history, against its own $name");
	is($fork->safe_psql('postgres', $query), "block_changed|$at", "a second history, against a $name of the first");
}
$fork->verify_clean('which in itself is clean');
$fork->stop;
$node->stop;
done_testing();
