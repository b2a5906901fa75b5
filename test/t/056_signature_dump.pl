# What must be signed, and what was rejected, survive dump and restore, at once
# or schema and data apart; the copy demands what the origin did.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerCluster;

my $node = LedgerCluster->new_server('dump');
my $dump = $node->basedir . '/dump';

$node->safe_psql('postgres', 'CREATE DATABASE origin TEMPLATE template0');
$node->create_extension('origin');
$node->create_node('dump', 'test', 'origin');
$node->safe_psql('origin', <<'END');
CREATE FUNCTION secret() RETURNS bytea LANGUAGE sql IMMUTABLE RETURN sha256('a secret');
CREATE FUNCTION key() RETURNS bytea LANGUAGE sql IMMUTABLE RETURN ledger.public_key(secret());
CREATE TABLE log (day date, id bigint, key bytea, signature bytea) PARTITION BY RANGE (day) USING ledger;
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2030-01-01') TO ('2030-02-01');
CREATE TRIGGER signed AFTER INSERT ON log FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, day');
CREATE FUNCTION row_signature(id bigint) RETURNS bytea LANGUAGE sql STABLE
    RETURN ledger.ecdsa_sign(sha256(ledger.message_to_sign('log', ROW('2030-01-05', id, key(), NULL, NULL)::log)), secret());
CREATE TABLE call_file (id bigint, key bytea, signature bytea) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON call_file REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
CREATE FUNCTION file_signature(first bigint, last bigint) RETURNS bytea LANGUAGE sql STABLE
    RETURN ledger.ecdsa_sign(sha256(ledger.message_to_sign('call_file',
        (SELECT array_agg(ROW(n, key(), NULL, NULL)::call_file ORDER BY n) FROM generate_series(first, last) AS n))), secret());
INSERT INTO log SELECT '2030-01-05', n, key(), row_signature(n) FROM generate_series(1, 3) AS n;
INSERT INTO call_file SELECT n, key(), file_signature(1, 5) FROM generate_series(1, 5) AS n;
SET session_replication_role = replica;
INSERT INTO log VALUES ('2030-01-05', 4);
INSERT INTO call_file SELECT n, key(), file_signature(1, 5) FROM generate_series(1, 4) AS n;
END
poll_settled('origin');

my $state = q{SELECT 'log', id, ledger_ref, ledger.finality(ledger_ref) FROM log
	UNION ALL SELECT 'file', id, ledger_ref, ledger.finality(ledger_ref) FROM call_file
	UNION ALL SELECT relation::text, NULL, ref, sqlstate || reason FROM ledger.rejected ORDER BY 3, 1};
my $expected = $node->safe_psql('origin', $state);
my $message = q{SELECT ledger.message_to_sign('log', ROW('2030-01-05', 9, key(), NULL, NULL)::log), ledger.message_to_sign('call_file', ROW(9, key(), NULL, NULL)::call_file)};
my $to_sign = $node->safe_psql('origin', $message);

is(scalar(() = $expected =~ /rejected/g), 5, 'five rows are rejected');
command_ok([ 'pg_dump', '-Fc', '-f', "$dump.custom", $node->connstr('origin') ], 'dump');
command_ok([ 'pg_dump', '-s', '-Fc', '-f', "$dump.schema", $node->connstr('origin') ], 'dump of the schema');
command_ok([ 'pg_dump', '-a', '-Fc', '-f', "$dump.data", $node->connstr('origin') ], 'dump of the data');
$node->safe_psql('postgres', 'DROP DATABASE origin WITH (FORCE)');

foreach my $parts (['custom'], [ 'schema', 'data' ])
{
	my $name = "@$parts";

	$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE template0');
	command_ok([ 'pg_restore', '-d', $node->connstr('copy'), "$dump.$_" ], "$name: restore $_") foreach @$parts;
	$node->safe_psql('copy', 'SELECT ledger.resume()');
	poll_settled('copy');
	is($node->safe_psql('copy', $state), $expected, "$name: everything is where it was");
	is($node->safe_psql('copy', $message), $to_sign, "$name: messages are what they were");
	is($node->safe_psql('copy', 'SELECT count(*) FROM ledger_internal.signature_requirement'), '2', "$name: nothing is demanded twice");
	$node->safe_psql('copy', q{INSERT INTO log VALUES ('2030-01-05', 9, key(), row_signature(9))});
	$node->safe_psql('copy', q{INSERT INTO call_file SELECT n, key(), file_signature(6, 8) FROM generate_series(6, 8) AS n});
	my ($status, undef, $error) = $node->psql('copy', q{INSERT INTO log VALUES ('2030-01-05', 9, key(), row_signature(8))});
	like($error, qr/is not signed/, "$name: the trigger refuses");
	$node->safe_psql('copy', q{SET session_replication_role = replica; INSERT INTO log VALUES ('2030-01-05', 10)});
	poll_settled('copy');
	is($node->safe_psql('copy', 'SELECT string_agg(id::text, \' \' ORDER BY id) FROM (SELECT id, ledger_ref FROM log UNION ALL SELECT id, ledger_ref FROM call_file) AS r WHERE ledger.is_final(ledger_ref)'),
		'1 1 2 2 3 3 4 5 6 7 8 9', "$name: and the worker agrees");
	is($node->safe_psql('copy', 'SELECT count(*) FROM ledger.rejected'), '6', "$name: with every row");
	$node->verify_clean("$name: verification too", 'copy');
	$node->safe_psql('postgres', 'DROP DATABASE copy WITH (FORCE)');
}

$node->stop;
done_testing();

sub poll_settled
{
	my ($database) = @_;

	$node->poll_query_until($database, 'SELECT rows_pending = 0 FROM ledger.status') or die 'rows stay pending';
	return;
}
