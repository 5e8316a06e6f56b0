import { roomTopic } from '../stores/topics.js';
import { LocalGraces } from './local-graces.js';

describe('LocalGraces', () => {
  beforeEach(() => void jest.useFakeTimers({ now: 0 }));
  afterEach(() => void jest.useRealTimers());

  it('ends with the device that is waited for longest', () => {
    const over: string[] = [];
    const graces = new LocalGraces((_, userId) => over.push(userId));
    graces.begin(roomTopic('lobby'), 'ann', 1_000);
    jest.advanceTimersByTime(900);
    graces.begin(roomTopic('lobby'), 'ann', 1_000); // was back, and is gone again
    graces.begin(roomTopic('lobby'), 'ann', 0); // another device, on purpose
    graces.begin(roomTopic('lobby'), 'ben', 0);
    graces.begin(roomTopic('other'), 'cat', 500);
    jest.advanceTimersByTime(990);
    expect(over).toEqual(['ben', 'cat']);
    jest.advanceTimersByTime(20);
    expect(over).toEqual(['ben', 'cat', 'ann']);
  });
});
