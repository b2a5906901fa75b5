# A contract on a ledger of one member, which is its own quorum: what it has made
# is changed by nobody, and what cannot be deployed is noted as failed.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerWire;

my $wires = LedgerWire->new(1, ordered => 1);

$wires->announce(1);

sub in_state
{
	my ($motion, $expected, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($wires->poll(1, "SELECT state || coalesce(': ' || reason, '') FROM ledger.contract WHERE motion = '$motion'", $expected), $name)
	  || diag($wires->sql(1, 'SELECT name, state, reason, approved_by, needed FROM ledger.contract'));
}

in_state(deploy($wires, 1, 'roaming', $roaming), 'deployed', 'one member decides alone');
$wires->sql(1, q{INSERT INTO roaming.usage VALUES ('4915112345678', 'mobile originated', '2026-01-01', 60)});

# Fixed: nobody changes it, superuser included, on a test ledger too.
foreach my $change (
	'ALTER TABLE roaming.usage ADD COLUMN a integer',
	'ALTER TABLE roaming.usage DISABLE TRIGGER ALL',
	'ALTER TABLE roaming.usage RENAME COLUMN seconds TO minutes',
	'ALTER TABLE roaming.usage DROP CONSTRAINT usage_seconds_check',
	'ALTER TABLE roaming.usage ADD CONSTRAINT a CHECK (seconds < 5)',
	'ALTER TABLE roaming.usage ALTER COLUMN seconds SET DEFAULT 5',
	'ALTER TABLE roaming.usage OWNER TO postgres',
	'ALTER TABLE roaming.usage SET SCHEMA public',
	'ALTER TABLE roaming.usage RENAME TO other',
	'ALTER TABLE roaming.usage ENABLE ROW LEVEL SECURITY',
	'TRUNCATE roaming.usage',
	'TRUNCATE roaming.notice',
	'DROP TABLE roaming.notice',
	'DROP TABLE roaming.usage CASCADE',
	'DROP SCHEMA roaming CASCADE',
	'DROP OWNED BY ledger_contract CASCADE',
	'ALTER SCHEMA roaming RENAME TO other',
	'DROP VIEW roaming.long_usage',
	'CREATE OR REPLACE VIEW roaming.long_usage AS SELECT served, seconds FROM roaming.usage',
	'DROP INDEX roaming.usage_ledger_ref_idx',
	'ALTER INDEX roaming.usage_by_served RENAME TO other',
	q{ALTER TYPE roaming.direction ADD VALUE 'other'},
	q{ALTER TYPE roaming.direction RENAME VALUE 'mobile originated' TO 'other'},
	'DROP TYPE roaming.direction CASCADE',
	q{ALTER DOMAIN roaming.msisdn DROP CONSTRAINT msisdn_check},
	'ALTER DOMAIN roaming.msisdn ADD CONSTRAINT a CHECK (length(VALUE) < 9)',
	'CREATE UNIQUE INDEX ON roaming.usage (served)',
	'CREATE TABLE roaming.other (a integer)',
	'CREATE TRIGGER t BEFORE INSERT ON roaming.usage FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
	'CREATE POLICY p ON roaming.usage',
	'CREATE RULE r AS ON INSERT TO roaming.long_usage DO INSTEAD NOTHING',
	'DELETE FROM roaming.usage',
	'UPDATE roaming.usage SET seconds = 1'
  )
{
	refused($wires, 1, $change, qr/ERROR:  (cannot change|index "\w+" on a shared table cannot be unique|cannot alter|ledger table|cannot drop|cannot (update|delete)|.*append)/, "refused: $change");
}
is($wires->sql(1, q{CREATE INDEX mine ON roaming.usage (seconds); GRANT SELECT ON roaming.notice TO pg_monitor; COMMENT ON TABLE roaming.notice IS 'news'; DROP INDEX roaming.mine; CREATE TABLE local (usage ledger.ref REFERENCES roaming.usage (ledger_ref)); DROP TABLE local;  SELECT count(*) FROM roaming.usage}), '1', 'indexes that are not unique, privileges, foreign keys to it and maintenance are not');
$wires->sql(1, $_) foreach ('VACUUM FULL roaming.usage', 'CREATE INDEX by_start ON roaming.usage (started)', 'CLUSTER roaming.usage USING by_start', 'REINDEX TABLE roaming.usage', 'CREATE INDEX CONCURRENTLY mine ON roaming.usage (started)', 'DROP INDEX CONCURRENTLY roaming.mine', 'ANALYZE roaming.usage');
is($wires->sql(1, q{DROP INDEX roaming.usage_by_served; SELECT count(*) FROM roaming.usage}), '1', 'an index of the contract can be dropped: it decides about no row');
$wires->sql(1, 'CREATE TABLE elsewhere (a integer); CREATE TYPE own AS ENUM (\'a\')');
refused($wires, 1, 'ALTER TABLE elsewhere SET SCHEMA roaming', qr/cannot change/, 'nothing is moved into its schema');
refused($wires, 1, 'ALTER TYPE own SET SCHEMA roaming', qr/cannot change/, 'no type either');
refused($wires, 1, 'CREATE TYPE roaming.own AS ENUM (\'a\')', qr/cannot change/, 'nor made there');
refused($wires, 1, 'ALTER ROLE ledger_contract SUPERUSER; SELECT * FROM ledger.check_contract(\'CREATE TABLE t (a integer) USING ledger\')', qr/role "ledger_contract" is a superuser/, 'no script runs as a superuser');
$wires->sql(1, 'ALTER ROLE ledger_contract NOSUPERUSER');

# What a quorum decides although no honest member would: noted, and nothing made.
sub decide
{
	my ($name, $text, $submitted, $size) = @_;
	my $body = "convert_to(\$text\$$text\$text\$, 'UTF8')";

	$size //= length $text;
	$wires->sql(1, "SELECT ledger_internal.submit($body)") if $submitted;
	$wires->poll(1, "SELECT EXISTS (SELECT FROM ledger_internal.ordered_chunk WHERE digest = sha256($body))") if $submitted;
	return $wires->sql(1, "SELECT ledger_internal.ask_approval(ledger_internal.make_notice('contract $name version 1 of $size bytes', sha256($body)))");
}

my $table = 'CREATE TABLE t (a integer) USING ledger';

in_state(decide('unseen', $table, 0), 'failed: its source, as UTF-8 text of that size, was in no block before', 'a source that is not on the ledger');
in_state(decide('shorter', $table, 1, 5), 'failed: its source, as UTF-8 text of that size, was in no block before', 'or has another size');
in_state(decide('unique', 'CREATE TABLE t (a integer UNIQUE) USING ledger', 1), 'failed: line 1: UNIQUE: whether a row goes in may not depend on rows of other members', 'a script that no contract may have');
in_state(decide('roaming', $table, 1), 'failed: a contract of that name is deployed since block ' . $wires->sql(1, q{SELECT since_height FROM ledger.contract WHERE state = 'deployed'}), 'a name that is taken');
in_state(decide('ledger_x', $table, 1), 'failed: no contract may have that name', 'and one that nobody may take');
is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.shared_table'), '2', 'nothing is made then');
my $later = $wires->sql(1, "SELECT ledger.deploy('unseen', 'CREATE TABLE later (a integer) USING ledger')");
in_state($later, 'deployed', 'a name that failed can be proposed again, with another source');

# A signature that a contract demands is demanded.
in_state($wires->sql(1, <<'END'), 'deployed', 'a contract that demands signatures');
SELECT ledger.deploy('signed', $source$
CREATE TABLE statement (author bytea, signature bytea, body text) USING ledger;
CREATE TRIGGER signed BEFORE INSERT ON statement FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('author', 'signature', 'body', 'bip340');
$source$)
END
refused($wires, 1, q{INSERT INTO signed.statement VALUES ('\\x00', '\\x00', 'x')}, qr/signature|key/, 'and it is');
refused($wires, 1, 'DROP TRIGGER signed ON signed.statement', qr/cannot change/, 'for ever');
is($wires->sql(1, q{SELECT count(*) FROM signed.statement}), '0', 'no row went in');

is($wires->sql(1, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'nothing is wrong');
is($wires->sql(1, q{SELECT verdict FROM ledger.verification ORDER BY id DESC LIMIT 1}), 'clean', 'and that was looked at');

# A test ledger can be ended, with its contracts.
$wires->sql(1, 'SELECT ledger.dispose()');
is($wires->sql(1, q{SELECT to_regnamespace('roaming') IS NULL, (SELECT count(*) FROM ledger_internal.contract) + (SELECT count(*) FROM ledger_internal.contract_schema) + (SELECT count(*) FROM ledger_internal.shared_table)}), 't|0', 'nothing is left of them then');

done_testing();
