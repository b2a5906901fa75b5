# Signed tables at sizes and in moments that the regression tests do not reach:
# a statement of several batches, more rejected rows than a round takes, a
# restart in between, a table that lags, a foreign signer.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use MIME::Base64;
use Test::More;

use LedgerCluster;

my $node = LedgerCluster->new_node('signature', purpose => 'test');

sub sql { return $node->safe_psql('postgres', shift) }

sql(<<'END');
CREATE FUNCTION secret() RETURNS bytea LANGUAGE sql IMMUTABLE RETURN sha256('a secret');
CREATE FUNCTION key() RETURNS bytea LANGUAGE sql IMMUTABLE RETURN ledger.public_key(secret());
CREATE TABLE call_file (id bigint, key bytea, signature bytea) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON call_file REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
CREATE FUNCTION signature(first bigint, last bigint) RETURNS bytea LANGUAGE sql STABLE
    RETURN ledger.ecdsa_sign(sha256(ledger.message_to_sign('call_file',
        (SELECT array_agg(ROW(n, key(), NULL, NULL)::call_file ORDER BY n) FROM generate_series(first, last) AS n))), secret());
CREATE TABLE clock (id integer) USING ledger;
END

my $calls = 'SELECT n, key(), s FROM generate_series(%d, %d) AS n, (SELECT signature(%d, %d) AS s OFFSET 0) AS s';

# One statement, three batches; the worker starts anew in the middle of it.
$node->append_conf('postgresql.conf', "telco_ledger.batch_delay = '200 ms'");
$node->reload;
sql('INSERT INTO call_file ' . sprintf($calls, 1, 150000, 1, 150000));
$node->poll_query_until('postgres', 'SELECT count(*) > 0 FROM ledger.batch WHERE rows > 10000')
	or die 'no batch of the statement';
$node->stop('immediate');
$node->start;
$node->wait_final_all;
is(sql('SELECT count(*), count(*) FILTER (WHERE ledger.is_final(ledger_ref)), count(DISTINCT ledger.height(ledger_ref)) > 2 FROM call_file'),
	'150000|150000|t', 'a statement of several batches is final as a whole');
is(sql('SELECT count(*) FROM ledger.rejected'), '0', 'and nothing of it is rejected');

# As many rows, one of them another than was signed, past the trigger; together
# with rows that are in order.
sql(<<"END");
BEGIN;
INSERT INTO clock VALUES (1);
SET LOCAL session_replication_role = replica;
INSERT INTO call_file @{[sprintf($calls, 1, 140000, 2, 140001)]};
INSERT INTO clock VALUES (2);
INSERT INTO call_file @{[sprintf($calls, 7, 9, 7, 9)]};
COMMIT;
END
$node->poll_query_until('postgres', 'SELECT count(*) > 0 FROM ledger.rejected')
	or die 'nothing was rejected';
$node->stop('immediate');
$node->start;
$node->wait_final_all;
is(sql('SELECT count(*) FROM ledger.rejected'), '140000', 'a statement of several rounds is rejected as a whole');
is(sql('SELECT count(*), count(*) FILTER (WHERE ledger.is_final(ledger_ref)) FROM call_file'),
	'290003|150003', 'the statements around it are final');
is(sql('SELECT string_agg(id::text, \' \' ORDER BY id) FROM clock WHERE ledger.is_final(ledger_ref)'),
	'1 2', 'and so are the rows of other tables');
is(sql('SELECT rows_pending FROM ledger.status'), '0', 'nothing is pending');

# A table that cannot be locked when its rows should be batched.
sql(<<'END');
CREATE TABLE reading (id bigint, key bytea, signature bytea) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON reading FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
END
my $message = q{sha256(ledger.message_to_sign('reading', ROW(2, key(), NULL, NULL)::reading))};
my $readings = "INSERT INTO reading SELECT n, key(), ledger.ecdsa_sign($message, secret()) FROM generate_series(1, 3) AS n";
my $session = $node->background_psql('postgres');
my $worker = $node->wait_for_worker;
kill 'STOP', $worker;
sql("BEGIN; SET LOCAL session_replication_role = replica; $readings; COMMIT");
$session->query_safe('BEGIN; LOCK TABLE reading');
kill 'CONT', $worker;
sql('INSERT INTO clock VALUES (3)');
$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM ledger_internal.lagging') or die 'the table does not lag';
$session->query_safe('COMMIT');
$session->quit;
$node->wait_final_all;
is(sql('SELECT string_agg(id || ledger.finality(ledger_ref), \' \' ORDER BY ledger_ref) FROM reading'),
	'1rejected 2final 3rejected', 'rows of a table that was locked');

# Since when: a transaction that is older than the trigger but inserts after it
# is bound; one that has inserted and keeps CREATE TRIGGER waiting is not.
sql('CREATE TABLE gauge (id bigint, key bytea, signature bytea) USING ledger');
my $early = $node->background_psql('postgres');
my $writer = $node->background_psql('postgres');
my $creator = $node->background_psql('postgres');
$early->query_safe('BEGIN; SELECT pg_current_xact_id()');
$writer->query_safe('BEGIN; INSERT INTO gauge VALUES (1)');
$creator->query_until(qr/begins/, <<'END');
\echo begins
CREATE TRIGGER signed AFTER INSERT ON gauge FOR EACH ROW EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
END
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND relation = 'gauge'::regclass})
	or die 'CREATE TRIGGER does not wait';
$writer->query_safe('INSERT INTO gauge VALUES (2); COMMIT');
$creator->query_safe('SELECT 1');
$early->query_safe('SET LOCAL session_replication_role = replica; INSERT INTO gauge VALUES (3); COMMIT');
$_->quit foreach $early, $writer, $creator;
$node->wait_final_all;
is(sql('SELECT string_agg(id || ledger.finality(ledger_ref), \' \' ORDER BY id) FROM gauge'),
	'1final 2final 3rejected', 'rows count as older by snapshot, not by transaction number');

# Somebody who has nothing of ours but the byte table: ES256 by openssl.
SKIP:
{
	skip 'no openssl program', 3 unless system('command -v openssl >/dev/null') == 0;
	my $path = $node->basedir;
	system("openssl ecparam -name prime256v1 -genkey -noout -out $path/device.pem") == 0 or die;
	my $public = `openssl ec -in $path/device.pem -pubout -outform DER -conv_form compressed 2>/dev/null`;
	my $key = substr($public, -33);
	sql(<<'END');
CREATE TABLE meter (id bigint, device text, value numeric(10,3), key bytea, signature bytea) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON meter FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, device, value', 'es256');
END
	my $to_sign = 'telco_ledger/1/row-signature'
	  . pack('H*', sql('SELECT chain FROM ledger.status'))
	  . pack('H*', sql("SELECT replace(ledger.signing_id('meter')::text, '-', '')"))
	  . pack('C/a n', $key, 3)
	  . pack('n C N N/a', 1, 0, 20, pack('q>', 7))
	  . pack('n C N N/a', 2, 0, 25, 'meter 7')
	  . pack('n C N N/a', 3, 0, 1700, '12.500');
	open my $file, '>:raw', "$path/message" or die;
	print $file $to_sign;
	close $file;
	my $der = `openssl dgst -sha256 -sign $path/device.pem $path/message`;
	my ($r, $s) = unpack('x2 x C/a x C/a', $der);
	my $signature = join '', map { substr("\0" x 32 . $_, -32) } $r, $s;
	my $values = sprintf q{'\x%s', '\x%s'}, unpack('H*', $key), unpack('H*', $signature);
	my $ref = sql("INSERT INTO meter VALUES (7, 'meter 7', 12.5, $values) RETURNING ledger_ref");
	like(sql("SELECT ledger.wait_final('$ref')"), qr/^\d+$/, 'a row signed elsewhere is final');
	my ($status, undef, $error) = $node->psql('postgres', "INSERT INTO meter VALUES (7, 'meter 7', 12.6, $values)");
	isnt($status, 0, 'with another value it is refused');
	like($error, qr/a row of "meter" is not signed/, 'and the error says why');
}

is(sql("SELECT count(*) FROM ledger.verify(mode => 'full')"), '0', 'verification agrees with all of it');
is(sql('SELECT rejected, verdict FROM ledger.verification ORDER BY id DESC LIMIT 1'), '140003|clean', 'and says what it passed over');

$node->stop;
done_testing();
