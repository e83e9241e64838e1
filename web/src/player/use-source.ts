/** Which address plays: the swarm stream first; where that fails, the server's, from the same second on. */
import { useRef, useState, type SyntheticEvent } from 'react';
import type { MediumInfo } from '../../../src/base/api.ts';
import type { OpenMedium } from '../swarm/index.ts';

interface Source {
  readonly src: string;
  /** Neither address plays: the format is not known here. */
  readonly isHopeless: boolean;
  /** For the media element's `error`. */
  readonly onError: (event: SyntheticEvent<HTMLMediaElement>) => void;
  /** For `loadedmetadata`: goes on where the other address stopped. */
  readonly onLoadedMetadata: (event: SyntheticEvent<HTMLMediaElement>) => void;
}

export function useSource(medium: MediumInfo, opened: OpenMedium): Source {
  const [usesHttp, setUsesHttp] = useState(opened.through === 'http');
  const [isHopeless, setHopeless] = useState(false);
  const resumeAtSec = useRef(0);
  return {
    src: usesHttp ? medium.url : opened.src,
    isHopeless,
    onError({ currentTarget }) {
      if (usesHttp) return setHopeless(true);
      resumeAtSec.current = currentTarget.currentTime;
      setUsesHttp(true);
    },
    onLoadedMetadata({ currentTarget }) {
      if (resumeAtSec.current > 0) currentTarget.currentTime = resumeAtSec.current;
      resumeAtSec.current = 0;
    },
  };
}
