# A shared table of four members: rows inserted on each appear on all of them,
# with their refs, in block order.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);
my $id = '00112233-4455-6677-8899-aabbccddeeff';

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	$wires->sql($member, 'CREATE TABLE offer (id bigint NOT NULL, price numeric(10,2) CHECK (price > 0), note text) USING ledger');
	$wires->sql($member, "SELECT ledger_internal.share_table('offer', '$id')");
}
is($wires->sql(1, "SELECT s.relation, s.table_id, s.contract, t.table_id = s.table_id FROM ledger_internal.shared_table AS s JOIN ledger_internal.ledger_table AS t USING (relation)"), "offer|$id|test|t", 'a table is shared under an id');
like(($wires->node(1)->psql('postgres', "SELECT ledger_internal.share_table('offer', gen_random_uuid())"))[2], qr/table "offer" cannot become a shared table.*\n.*It is shared already\./, 'once');
$wires->sql(1, 'INSERT INTO cdr VALUES (1)');
like(($wires->node(1)->psql('postgres', "SELECT ledger_internal.share_table('cdr', gen_random_uuid())"))[2], qr/table "cdr" cannot become a shared table.*\n.*It has rows\./, 'and before it has rows');

# A row of each is everywhere, under the ref that its origin gave it.
my %ref;

foreach my $member (@members)
{
	$ref{$member} = $wires->sql($member, "INSERT INTO offer VALUES ($member, 1.50, 'of $member') RETURNING ledger_ref");
	like($wires->sql($member, "SELECT ledger.wait_final('$ref{$member}', '170 s')"), qr/^\d+$/, "a row of member $member is final");
}
my $expected = join "\n", map { "$_|1.50|of $_|$ref{$_}|$_" } @members;

foreach my $member (@members)
{
	like($wires->sql($member, "SELECT ledger.wait_final('$ref{$_}', '170 s')"), qr/^\d+$/, "and at member $member that of member $_") foreach (@members);
	is($wires->sql($member, 'SELECT id, price, note, ledger_ref, ledger.member(ledger_ref) FROM offer ORDER BY id'), $expected, "all rows are at member $member");
	is($wires->sql($member, "SELECT ledger.height('$ref{2}'), ledger.finality('$ref{2}'), ledger.is_final('$ref{2}'), ledger.relation_of('$ref{2}'), ledger.block_time('$ref{2}') > '2026-01-01'"),
		$wires->sql(2, "SELECT ledger.height('$ref{2}')") . '|final|t|offer|t', "member $member knows what one of them is");
}

done_testing();
