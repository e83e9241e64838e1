/** The one place that speaks to screen readers about progress and peers. */
import { useSpoken } from '../app/announcer.ts';

export function LiveRegion() {
  const text = useSpoken((state) => state.text);
  return (
    <output aria-live="polite" className="sr-only" data-testid="live-region">
      {text}
    </output>
  );
}
