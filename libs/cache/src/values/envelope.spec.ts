import fc from 'fast-check';
import { deflateRawSync } from 'node:zlib';
import { Codecs } from './codecs.js';
import { ENDS_AT, readEnvelope, Versions, writeEnds, writeEnvelope, type EnvelopeHead } from './envelope.js';
import { readHeld } from './held.js';

const head: EnvelopeHead = {
  codec: 1,
  compressed: false,
  failure: false,
  freshUntil: 1_796_075_371_598.25,
  keptUntil: 1_796_075_471_598.25,
  loadedAt: 1_796_075_271_598.25,
  loadMs: 12.5,
  tags: [
    { name: '', version: 1_796_075_371_598_123 },
    { name: 'car:1', version: 1_796_075_371_598_124 },
  ],
};
const payload = Buffer.from(JSON.stringify({ plate: 'ROO-57', seats: [1, 2, 3] }));

const versions = new Versions();
const write = (of: EnvelopeHead, bytes: Buffer) => writeEnvelope(of, bytes, versions);
const reading = () => ({ codecs: new Codecs(), shares: true });

describe('the envelope', () => {
  it('gives back what it was given', () => {
    const time = fc.double({ noNaN: true, min: 0, max: 1e15 });
    const tags = fc.array(
      fc.record({ name: fc.string({ unit: 'grapheme', maxLength: 40 }), version: fc.nat({ max: 2 ** 31 }) }),
      { maxLength: 64 },
    );
    const heads = fc.record({
      codec: fc.integer({ min: 1, max: 255 }),
      compressed: fc.boolean(),
      failure: fc.boolean(),
      freshUntil: time,
      keptUntil: time,
      loadedAt: time,
      loadMs: fc.float({ noNaN: true, min: 0, max: 1e6 }),
      tags,
    });
    fc.assert(
      fc.property(heads, fc.uint8Array({ maxLength: 300 }), (given, bytes) => {
        const { payload: found, ...read } = readEnvelope(write(given, Buffer.from(bytes)))!;
        expect(read).toEqual(given);
        expect([...found]).toEqual([...bytes]);
      }),
    );
  });

  it('is another version each time', () => {
    const seen = Array.from({ length: 2_000 }, () => write(head, payload).toString('latin1', 0, 16));
    expect(new Set(seen).size).toBe(2_000);
  });

  it('41: cut off anywhere it is no value', () => {
    const bytes = write(head, payload);
    expect(readHeld(bytes, reading())!.value()).toEqual({ plate: 'ROO-57', seats: [1, 2, 3] });
    for (let length = 0; length < bytes.length; length++) {
      expect([length, readHeld(bytes.subarray(0, length), reading())]).toEqual([length, undefined]);
    }
  });

  it('41: any bytes are read or refused, and never throw', () => {
    const codecs = reading();
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readHeld(Buffer.from(bytes), codecs)));
    const good = write(head, payload);
    fc.assert(
      fc.property(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }), (at, byte) => {
        const bad = Buffer.from(good);
        bad[at] = byte;
        readHeld(bad, codecs)?.value();
      }),
    );
  });

  it('41: is refused from another layout, by a codec that nobody has, and with broken compression', () => {
    const changed = (at: number, byte: number) => {
      const bytes = write(head, payload);
      bytes[at] = byte;
      return readHeld(bytes, reading());
    };
    expect([changed(0, 0x7b), changed(1, 2), changed(2, 77), changed(3, 1), changed(47, 3)]).toEqual(
      Array.from({ length: 5 }, () => undefined),
    );
    const packed = write({ ...head, compressed: true }, deflateRawSync(payload));
    expect(readHeld(packed, reading())!.value()).toEqual({ plate: 'ROO-57', seats: [1, 2, 3] });
  });

  it('has its ends where they can be rewritten in place', () => {
    const bytes = write(head, payload);
    writeEnds({ freshUntil: 1.5, keptUntil: 2.5 }).copy(bytes, ENDS_AT);
    expect(readEnvelope(bytes)).toMatchObject({ ...head, freshUntil: 1.5, keptUntil: 2.5 });
  });
});
