# A member's database comes from a dump, older than what the member has signed
# since: it signs nothing until it is told to resume, and then goes on as a new
# incarnation, with what the others have of its log; nobody's row is lost.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerRejoin;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);
my $node = $wires->node(4);
my $dump = $node->basedir . '/dump';

sub insert
{
	my ($member, $id) = @_;

	return $wires->sql($member, "INSERT INTO cdr VALUES ($id) RETURNING ledger_ref");
}

$wires->final($_, insert($_, 1), "a row of member $_ is final") foreach (@members);

# A contract of two versions, the second of which has dropped columns of state.
foreach my $file ('shelf', 'shelf_2')
{
	deploy($wires, 1, 'shelf', slurp_file("$FindBin::RealBin/../contracts/$file.sql"));
	approve($wires, 'shelf', 2, 3);
	ok($wires->poll($_, q{SELECT version FROM ledger_internal.contract WHERE state = 'deployed' ORDER BY version DESC LIMIT 1}, $file eq 'shelf' ? '1' : '2'), "$file is deployed at member $_") foreach (@members);
	next if $file ne 'shelf';
	$wires->sql(4, "SELECT shelf.$_") foreach (q{put('apple')}, q{put('pear', 200)}, q{keep(1, 'one')});
	ok($wires->poll(4, 'SELECT (SELECT count(*) FROM shelf.item) + (SELECT count(*) FROM shelf.mark)', '3'), 'and has state');
}
my $ref = insert(4, 2);
$wires->final(4, $ref, 'a row is in the dump');
command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'it is dumped');
$wires->final(4, insert(4, 3), 'a row comes after the dump');
like($wires->error_of(4, 'SELECT ledger.resume()'), qr/not a restored copy/, 'a database that goes on need not be resumed');

# The database is lost, its wire is not.
$node->safe_psql('template1', 'DROP DATABASE postgres WITH (FORCE)');
$node->safe_psql('template1', "CREATE DATABASE postgres TEMPLATE template0 ENCODING 'UTF8'");
command_ok([ 'pg_restore', '-d', $node->connstr('postgres'), $dump ], 'and restored');
is($wires->sql(4, 'SELECT state FROM ledger.status'), 'copied', 'it knows that it is a copy');
like($wires->error_of(4, 'INSERT INTO cdr VALUES (4)'), qr/HINT:.*ledger\.resume/s, 'and takes no rows');

# A row that somebody added to the dump is named.
$wires->sql(4, "INSERT INTO cdr (id, ledger_ref) VALUES (13, '4.0.9.1')");
like($wires->error_of(4, 'SELECT ledger.resume()'), qr/does not fit the chain.*row_added public\.cdr 4\.0\.9\.1/s, 'it is verified before it goes on');
$node->safe_psql('template1', 'DROP DATABASE postgres WITH (FORCE)');
$node->safe_psql('template1', "CREATE DATABASE postgres TEMPLATE template0 ENCODING 'UTF8'");
command_ok([ 'pg_restore', '-d', $node->connstr('postgres'), $dump ], 'restored once more');

is($wires->sql(4, "SELECT ledger.resume('the disk was lost')"), '', 'it asks the others');
like($wires->error_of(4, 'SELECT ledger.resume()'), qr/rejoining|not a restored copy/, 'once');
rejoined($wires, 4, 1);
my $after = insert(4, 5);
like($after, qr/^4\.1\./, 'a new row bears the new incarnation');
$wires->final(4, $after, 'and is final');
$wires->final($_, insert($_, 6), "a row of member $_ is final") foreach (1 .. 3);
is($wires->sql(4, "SELECT ledger.height('$ref') IS NOT NULL"), 't', 'a row of the dump is final as it was');
my $height = $wires->sql(1, 'SELECT max(height) FROM ledger.block');
foreach my $member (@members)
{
	ok($wires->poll($member, "SELECT max(height) >= $height FROM ledger.block"), "member $member has block $height");
	is($wires->sql($member, "SELECT md5(string_agg(encode(hash, 'hex'), ',' ORDER BY height)) FROM ledger.block WHERE height <= $height"),
		$wires->sql(1, "SELECT md5(string_agg(encode(hash, 'hex'), ',' ORDER BY height)) FROM ledger.block WHERE height <= $height"), 'and the same blocks');
}
$wires->sql(4, q{SELECT shelf.put('fig', 300)});
ok($wires->poll($_, q{SELECT class FROM shelf.item WHERE name = 'fig'}, 'dear'), "the contract goes on by its second version at member $_") foreach (@members);
like(same_everywhere($wires, q{SELECT count(*), md5(string_agg(s::text, ',' ORDER BY table_id)) FROM ledger.state AS s WHERE relation::text LIKE 'shelf.%'}, @members), qr/^[1-9]\d*\|\w+$/, 'with the same state');
is($wires->sql(4, q{SELECT kind, relation FROM ledger.verify(mode => 'full')}), '', 'in which the restored member finds nothing wrong');
is($wires->sql(1, 'SELECT count(*) FROM ledger.evidence'), '0', 'nobody is accused');

done_testing();
