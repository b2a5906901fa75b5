# Each sentence by which verification says no has an act of tampering that brings
# it about.  Tampering is taken back with its transaction, so nothing stays.
#
# Left out is what only the holder of the signing key can bring about: a log row,
# batch or block that is signed and says what it must not.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerCluster;
use Test::More;

my $node = LedgerCluster->new_node('details', purpose => 'test', conf => "autovacuum = off\ntelco_ledger.verify_workers = 0");

sub sql { return $node->safe_psql('postgres', shift) }

# Two versions of a table, rows that came late, a restore in between.
sql('CREATE TABLE cdr (id integer, note text) USING ledger; CREATE TABLE other (id integer) USING ledger');
sql('INSERT INTO cdr SELECT i, i FROM generate_series(1, 9) AS i; INSERT INTO other VALUES (1)');
$node->wait_final_all;
sql('ALTER TABLE cdr ADD COLUMN charge numeric');
$node->wait_final_all;		# the definition is in a batch of its own
sql('BEGIN; INSERT INTO cdr (id, note, charge) SELECT i, i, i FROM generate_series(11, 610) AS i; INSERT INTO other VALUES (2); COMMIT');
$node->wait_final_all;
my $worker = $node->wait_for_worker;
kill 'STOP', $worker;
sql('INSERT INTO cdr (id) VALUES (1000)');
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE cdr');
kill 'CONT', $worker;
sql('INSERT INTO other VALUES (3)');
$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM ledger_internal.lagging') or die 'no table lags';
$locker->query_safe('COMMIT');
$locker->quit;
$node->wait_final_all;
sql(q{SELECT ledger.accept_restore('an exercise')});
sql('INSERT INTO cdr (id) VALUES (2000); INSERT INTO other VALUES (4)');
$node->wait_final_all;

sql('SELECT * FROM ledger.verify()');

my ($few, $many) = map { sql("SELECT ledger.height(ledger_ref) FROM cdr WHERE id = $_") } (1, 11);
my $batch = sql("SELECT min(batch) FROM ledger_internal.batch WHERE height = $many");
my $last_batch = sql('SELECT max(batch) FROM ledger_internal.batch');
my $section = q{(SELECT s.section FROM ledger_internal.section s JOIN ledger_internal.ledger_table t USING (table_id) WHERE t.relation = 'cdr'::regclass AND s.batch = } . "$batch)";
my $of_cdr = "batch = $batch AND section = $section";
my $last_of_first = 'SELECT max(seq) FROM ledger_internal.own_log WHERE incarnation = 0';
my $uncertified = "DELETE FROM ledger_internal.own_log WHERE height = $many AND kind = 5";

sub flipped { return "set_byte($_[0], $_[1], get_byte($_[0], $_[1]) # 1)" }
sub header_bit { return "$uncertified; UPDATE ledger_internal.block SET header = " . flipped('header', $_[0]) . " WHERE height = $many" }

# Done as if the table were an ordinary one.
sub as_heap
{
	my ($sql, $table) = @_;
	my $relam = 'UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname =';

	$table //= 'cdr';
	return "$relam 'heap') WHERE oid = '$table'::regclass; $sql; $relam 'ledger') WHERE oid = '$table'::regclass";
}

sub found
{
	my ($tampering) = @_;

	return sql(<<"END");
SET allow_system_table_mods = on;
BEGIN;
$tampering;
SELECT kind || coalesce(' ' || relation, '') || ': ' || detail FROM ledger.verify(mode => 'full');
ROLLBACK;
END
}

is(found('SELECT'), '', 'nothing was tampered with');

my @each = (
	# snapshots
	[ 'DELETE FROM ledger_internal.snapshot WHERE snapshot = 2', 'snapshot_changed: A row of ledger_internal.snapshot was removed or numbered anew' ],
	[ "UPDATE ledger_internal.snapshot SET value = 'none' WHERE snapshot = 2", 'snapshot_changed: .* does not hold a snapshot' ],
	[ 'UPDATE ledger_internal.snapshot SET next_xid = next_xid + 1 WHERE snapshot = 2', 'snapshot_changed: .* does not hold a snapshot' ],
	[ 'UPDATE ledger_internal.snapshot SET (next_xid, value) = (SELECT next_xid, value FROM ledger_internal.snapshot WHERE snapshot = 1) WHERE snapshot = 3', 'snapshot_changed: .* it sees less than the one before' ],
	[ 'DELETE FROM ledger_internal.late_rows', 'snapshot_changed cdr: ledger_internal.late_rows does not lead to the row\'s batch' ],
	[ "INSERT INTO ledger_internal.lagging (relation, base) VALUES ('cdr', 1)", 'snapshot_changed cdr: ledger_internal.lagging says that the table waits for a lock' ],
	[ "UPDATE ledger_internal.batch SET snapshot = snapshot - 1 WHERE batch = $last_batch", 'snapshot_changed (cdr|other): The row is in a batch whose snapshot does not see it' ],

	# the own log
	[ "UPDATE ledger_internal.own_log SET message = substr(message, 1, octet_length(message) - 1) WHERE height = $many AND kind = 1", 'bad_signature: Row \d+ of the own log cannot be read' ],
	[ "UPDATE ledger_internal.own_log SET message = " . flipped('message', 'octet_length(message) - 1') . " WHERE height = $many AND kind = 1", 'bad_signature: The signature of row \d+ of the own log is not valid' ],
	[ "UPDATE ledger_internal.own_log SET view = view + 1 WHERE height = $many AND kind = 5", 'bad_certificate: The columns of row \d+ of the own log are not those of its message' ],
	[ "UPDATE ledger_internal.own_log SET digest = " . flipped('digest', 0) . " WHERE height = $many AND kind = 1", 'bad_signature: The columns of row \d+' ],
	[ "DELETE FROM ledger_internal.own_log WHERE height = $many AND kind = 1", 'bad_signature: Rows of the own log are missing' ],
	[ "UPDATE ledger_internal.own_log SET message = substr(message, 1, octet_length(message) - 1), digest = " . flipped('digest', 0) . " WHERE height = $many AND kind = 1", 'Row \d+ of the own log does not follow the row before' ],
	[ "UPDATE ledger_internal.own_log SET incarnation = 1, height = (SELECT max(height) FROM ledger_internal.block) WHERE seq = (SELECT max(seq) FROM ledger_internal.own_log WHERE incarnation = 0 AND kind = 1)", 'bad_signature: Row \d+ of the own log is of another incarnation' ],
	[ 'UPDATE ledger_internal.own_log SET incarnation = 7 WHERE incarnation = 1 AND seq > 1', ': An incarnation of the own log does not begin with a REJOIN that opens it' ],
	[ "UPDATE ledger_internal.own_log SET message = substr(message, 1, octet_length(message) - 1), digest = " . flipped('digest', 0) . " WHERE incarnation = 0 AND seq = ($last_of_first)", 'bad_signature: The REJOIN of the own log does not name the row before' ],
	[ "UPDATE ledger_internal.own_log SET height = 0 WHERE height = $many AND kind = 1", 'bad_signature: Row \d+ of the own log stands at height 0, behind rows of later ones' ],
	[ "UPDATE ledger_internal.own_log SET height = $many WHERE height = $many + 1", 'bad_certificate: The own log signs two blocks at this height' ],
	[ $uncertified, 'bad_certificate: No FINALIZE row of the own log signs this block' ],

	# blocks
	[ "DELETE FROM ledger_internal.block WHERE height = $many", 'block_changed: The block is not in ledger_internal.block, but others speak of it' ],
	[ "$uncertified; UPDATE ledger_internal.block SET header = substr(header, 1, 9) WHERE height = $many", 'block_changed: The header cannot be read' ],
	[ 'UPDATE ledger_internal.block SET header = ' . flipped('header', 112) . " WHERE height = $many", 'block_changed: The header in ledger_internal.block is not the one that was signed' ],
	[ "$uncertified; UPDATE ledger_internal.block SET header = (SELECT header FROM ledger_internal.block WHERE height = $few) WHERE height = $many", 'block_changed: The header belongs to another height' ],
	[ 'DELETE FROM ledger_internal.own_log WHERE height = 0 AND kind = 5; UPDATE ledger_internal.block SET header = ' . flipped('header', 112) . ' WHERE height = 0', 'block_changed: Block 0 is not the genesis block of this ledger' ],
	[ header_bit(60), 'block_changed: The block names another parent than the block below it' ],
	[ header_bit(300), 'block_changed: The history root is not the root over the blocks below' ],
	[ header_bit(220), 'block_changed: The block breaks a rule by which blocks follow each other' ],
	[ 'UPDATE ledger_internal.block SET hash = ' . flipped('hash', 0) . " WHERE height = $many", 'block_changed: Column hash' ],
	[ "UPDATE ledger_internal.block SET view = view + 1 WHERE height = $many", 'block_changed: Column view' ],
	[ "UPDATE ledger_internal.block SET time = time + interval '1 s' WHERE height = $many", 'block_changed: Column time' ],
	[ "UPDATE ledger_internal.block SET subtree_roots = subtree_roots || subtree_roots WHERE height = $many", 'block_changed: Column subtree_roots' ],
	[ "UPDATE ledger_internal.node SET name = 'other'", 'block_changed: Name, number or purpose in ledger_internal.node are not those of the genesis block' ],
	[ "INSERT INTO ledger_internal.own_vote VALUES (0, 1000, 'phase2', '')", 'tail_cut: .* ledger_internal.own_vote knows a vote in a later view' ],
	[ 'UPDATE ledger.verification SET to_height = 1000', 'tail_cut: An earlier run in ledger.verification read blocks that are not there any more' ],

	# batches
	[ "UPDATE ledger_internal.batch SET height = $few WHERE batch = $batch", 'batch_changed: The batch was not signed for this height' ],
	[ "UPDATE ledger_internal.batch SET header = substr(header, 1, 9) WHERE batch = $batch", 'batch_changed: The header in ledger_internal.batch is not the one that was signed' ],
	[ "UPDATE ledger_internal.batch SET batch = 1000 WHERE batch = $last_batch; UPDATE ledger_internal.section SET batch = 1000 WHERE batch = $last_batch", 'batch_changed: Batches are missing or were numbered anew' ],
	[ "UPDATE ledger_internal.batch SET incarnation = 7 WHERE batch = $batch", 'batch_changed: The columns member and incarnation are not those of the header' ],
	[ 'UPDATE ledger_internal.batch SET digest = ' . flipped('digest', 0) . " WHERE batch = $batch", 'batch_changed: Column digest' ],
	[ "UPDATE ledger_internal.batch SET snapshot = 0 WHERE batch = $batch", 'batch_changed: Column snapshot of ledger_internal.batch goes back' ],
	[ "UPDATE ledger_internal.batch SET completes = NOT completes WHERE batch = $batch", 'batch_changed: Column snapshot or completes of ledger_internal.batch was changed' ],
	[ "UPDATE ledger_internal.section SET section = 7 WHERE batch = $batch AND section = 0", 'batch_changed: Section 0 in ledger_internal.section was changed or removed' ],
	[ "UPDATE ledger_internal.section SET root = substr(root, 1, 9) WHERE batch = $batch AND section = 1", 'batch_changed: Section 1 in ledger_internal.section was changed or removed' ],
	[ "DELETE FROM ledger_internal.section WHERE batch = $batch AND section = 1", 'batch_changed: Sections of the batch are missing' ],
	[ "UPDATE ledger_internal.section SET table_version = 9 WHERE $of_cdr", 'batch_changed: A section of the batch was changed: table id, version, row count, root or commitment' ],
	[ "UPDATE ledger_internal.batch SET row_count = row_count + 1 WHERE batch = $batch", 'batch_changed: The columns row_count, first_ref and last_ref are not those of the sections' ],
	[ "UPDATE ledger_internal.batch SET last_ref = first_ref WHERE batch = $batch", 'batch_changed: The columns row_count, first_ref and last_ref' ],
	[ "UPDATE ledger_internal.section SET batch = 1000 WHERE batch = $batch", 'batch_changed: ledger_internal.section has sections of batch 1000, which is missing there' ],
	[ "DELETE FROM ledger_internal.batch WHERE batch = $batch", 'batch_changed: A batch that was signed is not in ledger_internal.batch at this height' ],
	[ header_bit(120), 'batch_changed: The batches at this height do not give the batch root of the block' ],
	[ header_bit(160), 'batch_changed: The entries root of the block is not the one over the REJOIN at this height' ],
	[ header_bit(190), 'batch_changed: The block\'s cut does not reach to its last batch' ],

	# definitions
	[ "DELETE FROM ledger_internal.ledger_table WHERE relation = 'other'::regclass", 'definition_changed other: The table uses access method ledger, but ledger_internal.ledger_table does not know it' ],
	[ as_heap(q{UPDATE ledger.table_version SET type_tags = type_tags || 1::bigint WHERE table_name = 'other'}, 'ledger.table_version'), 'definition_changed other: The definition cannot be read: ' ],
	[ as_heap(q{UPDATE pg_attribute SET attnotnull = false WHERE attrelid = 'ledger.table_version'::regclass; UPDATE ledger.table_version SET type_names = NULL WHERE table_name = 'other'}, 'ledger.table_version'), 'definition_changed other: The definition cannot be read: a row of ledger.table_version is damaged' ],
	[ as_heap(q{DELETE FROM ledger.table_version WHERE table_name = 'other'}, 'ledger.table_version'), 'definition_changed other: ledger.table_version has no definition of the table' ],
	[ q{UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'heap') WHERE relname = 'other'}, 'definition_changed other: The access method was changed in pg_class: rows are not protected any more' ],
	[ q{UPDATE pg_attribute SET attname = 'number' WHERE attrelid = 'other'::regclass AND attnum = 1}, 'definition_changed other: ' ],
	[ q{UPDATE pg_attribute SET atttypid = 'bigint'::regtype WHERE attrelid = 'other'::regclass AND attnum = 1}, 'definition_changed other: .* The rows of the table were not read' ],
	[ q{UPDATE pg_attribute SET attisdropped = true WHERE attrelid = 'other'::regclass AND attname = 'ledger_ref'}, 'definition_changed other: The table has no column ledger_ref' ],
	[ as_heap(q{DELETE FROM ledger.table_version WHERE table_name = 'cdr' AND version = 1}, 'ledger.table_version'), 'definition_changed cdr: ledger.table_version does not have the version by which rows were encoded' ],
	[ as_heap(q{UPDATE ledger.table_version SET type_tags[1] = 25 WHERE table_name = 'cdr' AND version = 1}, 'ledger.table_version'), 'definition_changed cdr: Rows cannot be encoded: ' ],
	[ q{UPDATE ledger_internal.ledger_table SET relation = 1 WHERE relation = 'other'::regclass; UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'heap'), relname = 'taken' WHERE relname = 'other'}, 'row_missing: Table public.other is gone with all its rows' ],

	# rows
	[ as_heap('UPDATE cdr SET note = NULL WHERE id = 20'), 'row_changed cdr: The row is not what was batched' ],
	[ as_heap('DELETE FROM cdr WHERE id = 20'), 'row_missing cdr: The row was batched and is not in the table any more' ],
	[ as_heap(q{UPDATE pg_attribute SET attnotnull = false WHERE attrelid = 'cdr'::regclass; INSERT INTO cdr VALUES (1, NULL, NULL, NULL)}) =~ s/VALUES \(1, NULL, NULL, NULL\)/(id, ledger_ref) VALUES (1, NULL)/r, 'row_added cdr: The row has no ledger_ref, so nothing ever issued it one' ],
	[ as_heap(q{INSERT INTO cdr (id, ledger_ref) VALUES (1, '2.0.5.1')}), 'row_added cdr: The ref of the row was never issued: it names another member or incarnation' ],
	[ as_heap(q{INSERT INTO cdr (id, ledger_ref) VALUES (1, '1.7.5.1')}), 'row_added cdr: The ref of the row was never issued: it names another member or incarnation' ],
	[ as_heap(q{INSERT INTO cdr (id, ledger_ref) VALUES (1, '1.1.99999999.1')}), 'row_added cdr: The ref of the row was never issued: there was no such transaction yet' ],
	[ as_heap(q{INSERT INTO cdr (id, ledger_ref) SELECT 1, regexp_replace(min(ledger_ref)::text, '\d+$', '4000')::ledger.ref FROM cdr}), 'row_added cdr: The row is older than the newest batch, but no batch holds it' ],
	[ as_heap(q{UPDATE cdr AS c SET (id, note, charge) = (SELECT id, note, charge FROM cdr AS d WHERE d.id = 41 - c.id) WHERE id IN (20, 21)}), 'order_changed cdr: The row has the content of another row of its batch' ],
	[ q{UPDATE pg_index SET indisvalid = false WHERE indrelid = 'cdr'::regclass}, 'index_mismatch cdr: The index on ledger_ref is gone or not valid' ],

	# what lies beside the sections
	[ "INSERT INTO ledger_internal.section SELECT batch, 9, table_id, table_version, kind, row_count, first_ref, last_ref, commitment, row_key, root, nodes, manifest FROM ledger_internal.section WHERE $of_cdr", 'batch_changed cdr: Two sections claim the row' ],
	[ "UPDATE ledger_internal.section SET first_ref = last_ref WHERE $of_cdr", 'batch_changed cdr: Column first_ref of a section is not the first of its manifest' ],
	[ "UPDATE ledger_internal.section SET last_ref = first_ref WHERE $of_cdr", 'batch_changed cdr: Column last_ref of a section is not the last of its manifest' ],
	[ "UPDATE ledger_internal.section SET manifest = substr(manifest, 1, octet_length(manifest) - 2) WHERE $of_cdr", 'batch_changed cdr: The manifest of section \d+ cannot be read' ],
	[ "UPDATE ledger_internal.section SET row_count = row_count + 1 WHERE $of_cdr", 'batch_changed cdr: The manifest of section \d+ holds 600 rows, the section 601' ],
	[ "UPDATE ledger_internal.section SET row_key = substr(row_key, 2) WHERE $of_cdr", 'batch_changed cdr: Column row_key of a section does not hold a key' ],
	[ "UPDATE ledger_internal.section SET row_key = " . flipped('row_key', 0) . " WHERE $of_cdr", 'batch_changed cdr: No row of section \d+ fits: its blinding key in ledger_internal.section was changed, or all of its rows' ],
	[ "UPDATE ledger_internal.section SET nodes = " . flipped('nodes', 0) . " WHERE $of_cdr", 'batch_changed cdr: Column nodes of section \d+ was changed' ],
	[ "UPDATE ledger_internal.section SET manifest = " . flipped('manifest', 'octet_length(manifest) - 1') . " WHERE $of_cdr", 'batch_changed cdr: The manifest of section \d+ was changed; the rows give the root that was signed' ],
	[ as_heap('UPDATE cdr SET note = NULL WHERE id = 610') . "; UPDATE ledger_internal.section SET manifest = substr(manifest, 1, octet_length(manifest) - 4) || (SELECT decode(found, 'hex') FROM ledger.verify(mode => 'full') WHERE kind = 'row_changed') WHERE $of_cdr", 'row_changed cdr: One of the rows \d+ to \d+ of section \d+ was changed, and its fingerprint in the manifest with it' ],
);

foreach (@each)
{
	my ($tampering, $sentence) = @$_;

	like(found($tampering), qr/^[^\n]*$sentence/m, $sentence);
}
is(found('SELECT'), '', 'nothing of that has stayed');

$node->stop;
done_testing();
