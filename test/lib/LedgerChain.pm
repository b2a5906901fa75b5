# Reads a node's stored chain and compares it with the tables, on its own: no
# function of the library takes part, so an error of the worker cannot hide
# behind the same error of a reader.
#
#	exactly_once($node, $name, database => 'postgres')
#		one test: every row of every ledger table stands in the manifest of
#		exactly one section, of its own table, and no manifest names another row
#	heights_agree($node, $name, database => 'postgres')
#		one test: ledger.height() is the block of the manifest that names the
#		ref, in whatever order it is asked, and NULL for refs that none names
#	chain_intact($node, $name, database => 'postgres')
#		one test: numbers without gaps; hashes, digests and links hold
#	refs_of($node, $relation)
#		the refs of a table, in order
#
# Manifests are read as src/chain/chain_manifest.c describes them, headers as
# chain_block.c and chain_batch.c do.
package LedgerChain;

use strict;
use warnings;

use Digest::SHA qw(sha256);
use Exporter 'import';
use Test::More;

our @EXPORT = qw(exactly_once heights_agree chain_intact manifest_refs refs_of);

# How many differences a failure shows, how many refs of rows are asked about
# and how many of no row.
use constant { SHOWN_MAX => 10, ROWS => 10000, NO_ROWS => 500 };

sub exactly_once
{
	my ($node, $name, %param) = @_;
	my $database = $param{database} // 'postgres';
	my (%wanted, @wrong);
	my ($rows, $entries, $sections) = (0, 0, 0);

	# One snapshot for all: rows that come meanwhile must not disturb.
	my @lines = split /\n/, $node->safe_psql($database, <<'END');
BEGIN ISOLATION LEVEL REPEATABLE READ;
CREATE FUNCTION pg_temp.all_rows() RETURNS TABLE (relation oid, ref text) LANGUAGE plpgsql AS $$
BEGIN
    FOR relation IN SELECT t.relation FROM ledger_internal.ledger_table AS t LOOP
        FOR ref IN EXECUTE format('SELECT ledger_ref FROM %s', relation::regclass) LOOP
            RETURN NEXT;
        END LOOP;
    END LOOP;
END $$;
SELECT 'row', relation, ref FROM pg_temp.all_rows();
SELECT 'section', t.relation::oid, s.batch, s.section, s.row_count, s.first_ref, s.last_ref,
       b.member, encode(s.manifest, 'hex')
  FROM ledger_internal.section AS s
  LEFT JOIN ledger_internal.ledger_table AS t USING (table_id)
  LEFT JOIN ledger_internal.batch AS b USING (batch)
 ORDER BY s.batch, s.section;
END

	foreach (@lines)
	{
		my ($kind, $relation, @rest) = split /\|/;

		if ($kind eq 'row')
		{
			$rows++;
			push @wrong, "row $rest[0] of $relation stands twice in its table"
			  if exists $wanted{"$relation $rest[0]"};
			$wanted{"$relation $rest[0]"} = '';
			next;
		}
		my ($batch, $section, $row_count, $first, $last, $member, $manifest) = @rest;
		my @refs = manifest_refs(pack('H*', $manifest), $member);
		my $where = "batch $batch section $section";

		$sections++;
		$entries += @refs;
		push @wrong, "$where says $row_count rows and names " . scalar(@refs) if @refs != $row_count;
		push @wrong, "$where says first $first, last $last"
		  if !@refs || $refs[0] ne $first || $refs[-1] ne $last;
		foreach my $ref (@refs)
		{
			my $place = $wanted{"$relation $ref"};

			if (!defined $place) { push @wrong, "$where names $ref, which table $relation does not have" }
			elsif ($place ne '') { push @wrong, "$ref of table $relation is in $place and in $where" }
			else { $wanted{"$relation $ref"} = $where }
		}
	}
	push @wrong, map { "row $_ is in no section" } grep { $wanted{$_} eq '' } sort keys %wanted;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	note("$rows rows, $entries manifest entries, $sections sections");
	return verdict($name, @wrong);
}

sub heights_agree
{
	my ($node, $name, %param) = @_;
	my $database = $param{database} // 'postgres';
	my (%height, %neighbour, @wrong);

	foreach (split /\n/, $node->safe_psql($database, <<'END'))
SELECT b.height, b.member, encode(s.manifest, 'hex')
  FROM ledger_internal.section AS s JOIN ledger_internal.batch AS b USING (batch);
END
	{
		my ($height, $member, $manifest) = split /\|/;

		$height{$_} = $height foreach manifest_refs(pack('H*', $manifest), $member);
	}
	foreach my $ref (keys %height)
	{
		my $after = $ref =~ s/(\d+)$/$1 + 1/er;

		$neighbour{$after} = '' if !exists $height{$after} && keys %neighbour < NO_ROWS;
	}

	# ascending, and at random, in one session
	my @random = keys %height;
	splice @random, ROWS if @random > ROWS;
	my @asked = ((sort { ref_key($a) cmp ref_key($b) } @random), keys %neighbour, @random);
	my $list = join ',', @asked;
	my $query = "SELECT r, ledger.height(r::ledger.ref) FROM unnest('{$list}'::text[]) WITH ORDINALITY AS u (r, n) ORDER BY n OFFSET 0";

	foreach (split /\n/, $node->safe_psql($database, $query))
	{
		my ($ref, $found) = split /\|/;
		my $expected = $height{$ref} // '';

		push @wrong, "$ref is in block '$expected', ledger.height() says '" . ($found // '') . "'"
		  if ($found // '') ne $expected;
	}

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	note(scalar(@asked) . ' refs asked, ' . keys(%neighbour) . ' of no row');
	return verdict($name, @wrong);
}

sub ref_key
{
	return join '.', map { sprintf '%020d', $_ } split /\./, $_[0];
}

# The refs that a manifest names.
sub manifest_refs
{
	my ($manifest, $member) = @_;
	my ($offset, $word, $row, @refs) = (0, 0, 0);
	my $varint = sub {
		my ($value, $shift, $byte) = (0, 0);

		do
		{
			die "manifest is cut short\n" if $offset >= length $manifest;
			$byte = ord substr $manifest, $offset++, 1;
			$value |= ($byte & 0x7f) << $shift;
			$shift += 7;
		} while ($byte & 0x80);
		return $value;
	};

	while ($offset < length $manifest)
	{
		my $delta = $varint->();
		my $number = $varint->();

		$row = @refs && $delta == 0 ? $row + $number : $number;
		$word += $delta;
		$offset += 4;			# fingerprint
		die "manifest is cut short\n" if $offset > length $manifest;
		push @refs, join '.', $member, $word >> 48, $word & ((1 << 48) - 1), $row;
	}
	return @refs;
}

sub chain_intact
{
	my ($node, $name, %param) = @_;
	my $database = $param{database} // 'postgres';
	my (@wrong, @blocks, @batches);
	my ($sequence, $previous_message, $log_rows, $rejoins, $last) = (0, undef, 0, 0, 0);

	foreach (split /\n/, $node->safe_psql($database, <<'END'))
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT 'block', height, encode(header, 'hex'), encode(hash, 'hex') FROM ledger_internal.block ORDER BY height;
SELECT 'batch', batch, height, row_count, encode(header, 'hex'), encode(digest, 'hex'),
       (SELECT coalesce(sum(s.row_count), 0) FROM ledger_internal.section s WHERE s.batch = b.batch)
  FROM ledger_internal.batch AS b ORDER BY batch;
SELECT 'log', incarnation, seq, kind, height, encode(message, 'hex'), encode(digest, 'hex')
  FROM ledger_internal.own_log ORDER BY incarnation, seq;
END
	{
		my ($kind, @rest) = split /\|/;

		if ($kind eq 'block') { push @wrong, block_problems(\@blocks, @rest) }
		elsif ($kind eq 'batch') { push @wrong, batch_problems(\@batches, \@blocks, @rest) }
		elsif ($kind eq 'log')
		{
			my ($incarnation, $seq, $message_kind, $height, $message, $digest) = @rest;

			# an incarnation begins with REJOIN, which names the row before
			if ($incarnation != $last)
			{
				push @wrong, "incarnation $incarnation begins with kind $message_kind" if $message_kind != 11;
				push @wrong, "REJOIN of incarnation $incarnation does not name the row before"
				  if substr(pack('H*', $message), 82 + 46, 32) ne $previous_message;
				($last, $sequence, $previous_message) = ($incarnation, 0, undef);
				$rejoins++;
			}
			$log_rows++;

			push @wrong, "log row $seq follows $sequence" if $seq != ++$sequence;
			push @wrong, "log row $seq does not name the row before"
			  if substr(pack('H*', $message), 29, 32) ne ($previous_message // "\0" x 32);
			$previous_message = pack 'H*', $digest;
		}
	}
	push @wrong, 'no block at all' if !@blocks;

	# genesis has one log row, every other block two
	push @wrong, "$log_rows log rows for " . @blocks . ' blocks' if $log_rows != 2 * @blocks - 1;
	push @wrong, @batches . ' batches for ' . @blocks . " blocks, $rejoins of them with a REJOIN"
	  if @batches != @blocks - 1 - $rejoins;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	note(scalar(@blocks) . ' blocks');
	return verdict($name, @wrong);
}

sub block_problems
{
	my ($blocks, $height, $header, $hash) = @_;
	my $bytes = pack 'H*', $header;
	my ($view, $time) = unpack 'x50 Q> x52 Q>', $bytes;
	my $before = $blocks->[-1];
	my @wrong;

	push @wrong, "block $height follows " . (@$blocks - 1) if $height != @$blocks;
	push @wrong, "header of block $height says " . unpack('x34 Q>', $bytes)
	  if unpack('x34 Q>', $bytes) != $height;
	push @wrong, "hash of block $height is wrong" if sha256("\0$bytes") ne pack 'H*', $hash;
	push @wrong, "block $height does not name its parent"
	  if substr($bytes, 58, 32) ne ($before ? $before->{hash} : "\0" x 32);
	push @wrong, "time of block $height does not grow" if $before && $time <= $before->{time};
	push @wrong, "view of block $height does not grow" if $before && $view <= $before->{view};
	push @$blocks,
	  { hash => pack('H*', $hash), time => $time, view => $view, root => substr($bytes, 118, 32) };
	return @wrong;
}

sub batch_problems
{
	my ($batches, $blocks, $batch, $height, $rows, $header, $digest, $section_rows) = @_;
	my $bytes = pack 'H*', $header;
	my @wrong;

	push @wrong, "batch $batch follows " . scalar(@$batches) if $batch != @$batches + 1;
	push @wrong, "digest of batch $batch is wrong" if sha256("\0$bytes") ne pack 'H*', $digest;
	push @wrong, "batch $batch does not name the one before"
	  if substr($bytes, 52, 32) ne (unpack('x40 Q>', $bytes) == 1 ? "\0" x 32 : $batches->[-1] // '');
	push @wrong, "batch $batch has $rows rows, its sections $section_rows" if $rows != $section_rows;
	push @wrong, "block $height does not hold batch $batch"
	  if ($blocks->[$height]{root} // '') ne pack 'H*', $digest;
	push @$batches, pack 'H*', $digest;
	return @wrong;
}

sub refs_of
{
	my ($node, $relation, $database) = @_;

	return split /\n/,
	  $node->safe_psql($database // 'postgres', "SELECT ledger_ref FROM $relation ORDER BY ledger_ref");
}

sub verdict
{
	my ($name, @wrong) = @_;
	my $count = @wrong;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	splice @wrong, SHOWN_MAX if $count > SHOWN_MAX;
	return ok($count == 0, $name) || diag(join("\n", "$count problems", @wrong));
}

1;
